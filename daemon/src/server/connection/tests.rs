//! One connection without a socket: what it takes in, and what waits to be written meanwhile.

use proto::places::Places;
use proto::{Caller, Request, ServerFrame, daemon};

use super::*;

#[tokio::test]
async fn many_questions_at_once_are_all_answered_without_their_answers_piling_up() {
    const QUESTIONS: u64 = 50_000;
    let folder = tempfile::tempdir().unwrap();
    let ctx = Ctx::open(Places {
        socket: folder.path().join("s"),
        state_dir: folder.path().join("state"),
        config_dir: None,
        home: None,
    });
    let ask = |id| ClientFrame::Ask {
        id,
        deadline_ms: 0,
        request_id: None,
        caller: Caller::default(),
        request: Request::Daemon(daemon::Request::Status),
    };
    let inbox = (1..=QUESTIONS).flat_map(|id| frame::encode(&ask(id)).unwrap());
    let carried = Carried {
        stage: Stage::Talking,
        inbox: inbox.collect(),
        ..Carried::default()
    };
    let (queue, _outgoing) = mpsc::channel(QUEUE);
    let mut connection = Connection::new(Arc::new(ctx.unwrap()), Phase::Serving, queue, carried);
    let (mut said, mut most) = (Vec::new(), 0);
    while connection.outbox.waiting() > 0 {
        most = most.max(connection.outbox.waiting());
        let (slices, count) = connection.outbox.next();
        let before = said.len();
        said.extend(slices[..count].iter().flat_map(|slice| slice.iter()));
        connection.wrote(said.len() - before);
    }
    assert!(
        said.len() > 2 * OUTBOX,
        "{} bytes are too few to pile up",
        said.len()
    );
    assert!(most < OUTBOX + READ, "{most} bytes have waited");
    assert!(connection.inbox.is_empty() && connection.incomplete_since.is_none());
    let (mut at, mut answered) = (0, 0);
    while let Some(head) = said[at..].first_chunk() {
        let end = at + frame::HEAD + frame::length(*head).unwrap();
        answered += 1;
        let answer = frame::decode::<ServerFrame>(&said[at + frame::HEAD..end]).unwrap();
        assert!(
            matches!(answer, ServerFrame::Done { id, .. } if id == answered),
            "{answer:?}"
        );
        at = end;
    }
    assert_eq!(answered, QUESTIONS);
}
