//! Connections that break, answers that are nonsense, and what is asked again.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use client::{Client, GoOn, Listener};
use proto::{Error, Item, Kind, RawPath, ServerFrame, error::Result, frame};

use crate::peer::{
    Ground, done, greet, hear, hear_ask, hung_up, last_of_files, nothing, part, reading, say, streaming,
    writing,
};

#[derive(Default)]
struct Files {
    names: Vec<RawPath>,
    again: bool,
    full: bool,
}

impl Listener for Files {
    fn item(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Files(_) if self.full => Err(Error::new(Kind::Cancelled, "enough")),
            Item::Files(names) => {
                self.names.extend(names);
                Ok(())
            }
            other => panic!("not files: {other:?}"),
        }
    }

    fn broken(&mut self) -> GoOn {
        self.names.clear();
        if self.again { GoOn::Repeat } else { GoOn::GiveUp }
    }
}

fn files(id: u64, names: &[&str]) -> ServerFrame {
    let names = names.iter().map(|name| RawPath::from(*name)).collect();
    ServerFrame::Item {
        id,
        item: Item::Files(names),
    }
}

#[test]
fn a_change_is_sent_again_with_the_same_request_id() {
    let ground = Ground::new();
    let (told, seen) = mpsc::channel();
    let again = told.clone();
    let daemon = ground.serve(vec![
        part(move |stream| {
            greet(stream);
            told.send(hear_ask(stream).1).expect("sent");
        }),
        part(move |stream| {
            greet(stream);
            let (id, request_id) = hear_ask(stream);
            again.send(request_id).expect("sent");
            say(stream, &done(id));
        }),
    ]);
    assert_eq!(
        Client::new(ground.options.clone()).call(&writing()),
        Ok(nothing())
    );
    daemon.join().expect("played");
    let (first, second) = (seen.recv().expect("asked"), seen.recv().expect("asked again"));
    assert!(first.is_some());
    assert_eq!(first, second);
}

#[test]
fn a_change_without_a_request_id_is_never_sent_twice() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        let _asked = hear_ask(stream);
    })]);
    let mut ask = writing();
    ask.request_id = None;
    let error = Client::new(ground.options.clone())
        .call(&ask)
        .expect_err("the answer is lost");
    // Not "no daemon is running": nobody was looked for a second time.
    assert!(error.what.contains("broke before the answer"), "{error}");
    daemon.join().expect("played");
}

#[test]
fn a_connection_that_broke_while_idle_is_made_anew() {
    let ground = Ground::new();
    let once = || {
        part(|stream: &mut UnixStream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            say(stream, &done(id));
        })
    };
    let daemon = ground.serve(vec![once(), once()]);
    let mut client = Client::new(ground.options.clone());
    assert_eq!(client.call(&reading()), Ok(nothing()));
    assert_eq!(client.call(&reading()), Ok(nothing()));
    daemon.join().expect("played");
}

#[test]
fn an_answer_that_broke_off_twice_is_an_error() {
    let ground = Ground::new();
    let cut = || {
        part(|stream: &mut UnixStream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            let bytes = frame::encode(&done(id)).expect("encoded");
            stream.write_all(&bytes[..bytes.len() - 1]).expect("told");
        })
    };
    let daemon = ground.serve(vec![cut(), cut()]);
    let error = Client::new(ground.options.clone())
        .call(&reading())
        .expect_err("cut twice");
    assert_eq!(error.kind, Kind::Unavailable);
    daemon.join().expect("played");
}

#[test]
fn parts_that_were_heard_are_asked_for_again_only_when_they_can_be_forgotten() {
    for again in [false, true] {
        let ground = Ground::new();
        let mut script = vec![part(|stream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            say(stream, &files(id, &["a", "b"]));
        })];
        if again {
            script.push(part(|stream| {
                greet(stream);
                let (id, _) = hear_ask(stream);
                say(stream, &files(id, &["a"]));
                say(stream, &files(id, &["c"]));
                say(stream, &last_of_files(id));
            }));
        }
        let daemon = ground.serve(script);
        let mut heard = Files {
            again,
            ..Files::default()
        };
        let answer = Client::new(ground.options.clone()).call_streaming(&streaming(), &mut heard);
        match answer {
            Ok(_) => assert!(again),
            Err(error) => assert!(
                !again && error.what.contains("broke before the answer"),
                "{error}"
            ),
        }
        let names: &[RawPath] = if again { &["a".into(), "c".into()] } else { &[] };
        assert_eq!(heard.names, names);
        daemon.join().expect("played");
    }
}

/// Keeps what it has heard and asks for the rest by another request.
struct Rest(Vec<RawPath>);

impl Listener for Rest {
    fn item(&mut self, item: Item) -> Result<()> {
        if let Item::Files(names) = item {
            self.0.extend(names);
        }
        Ok(())
    }

    fn broken(&mut self) -> GoOn {
        GoOn::With(Box::new(reading().request))
    }
}

#[test]
fn a_subscription_goes_on_with_the_request_for_the_rest() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![
        part(|stream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            say(stream, &files(id, &["a"]));
        }),
        part(|stream| {
            greet(stream);
            let proto::ClientFrame::Ask { id, request, .. } = hear(stream) else {
                panic!("not a request")
            };
            assert_eq!(request, reading().request);
            say(stream, &files(id, &["b"]));
            say(stream, &last_of_files(id));
        }),
    ]);
    let mut heard = Rest(Vec::new());
    let answer = Client::new(ground.options.clone()).call_streaming(&streaming(), &mut heard);
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(heard.0, ["a".into(), "b".into()]);
    daemon.join().expect("played");
}

#[test]
fn a_listener_that_has_had_enough_cancels_the_request_and_hangs_up() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        let (id, _) = hear_ask(stream);
        say(stream, &files(id, &["a"]));
        assert_eq!(hear(stream), proto::ClientFrame::Cancel { id });
        assert!(hung_up(stream));
    })]);
    let mut full = Files {
        full: true,
        ..Files::default()
    };
    let error = Client::new(ground.options.clone())
        .call_streaming(&streaming(), &mut full)
        .expect_err("given up");
    assert_eq!(error.what, "enough");
    daemon.join().expect("played");
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_whole_in_the_end() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        let (id, _) = hear_ask(stream);
        for byte in frame::encode(&done(id)).expect("encoded") {
            stream.write_all(&[byte]).expect("told");
            std::thread::yield_now();
        }
    })]);
    assert_eq!(
        Client::new(ground.options.clone()).call(&reading()),
        Ok(nothing())
    );
    daemon.join().expect("played");
}

#[test]
fn nonsense_is_a_fault_of_the_daemon_and_allocates_nothing() {
    let mut left_over = frame::encode(&done(1)).expect("encoded");
    left_over.push(0);
    left_over[0] += 1;
    let nonsense: [&[u8]; 5] = [
        &[0xff; 64],
        &[0, 0, 0, 0],
        &[1, 0, 0, 0, 0x7f],
        &[0, 0, 32, 0, 1, 2, 3],
        &left_over,
    ];
    for bytes in nonsense {
        let (ground, said) = (Ground::new(), bytes.to_vec());
        let daemon = ground.serve(vec![part(move |stream| {
            greet(stream);
            let _asked = hear_ask(stream);
            stream.write_all(&said).expect("told");
            assert!(hung_up(stream), "the client trusts this connection no longer");
        })]);
        let error = {
            let mut client = Client::new(ground.options.clone());
            client.call(&reading()).expect_err("nonsense")
        };
        assert_eq!(error.kind, Kind::Bug, "{bytes:?}: {error}");
        daemon.join().expect("played");
    }
}

#[test]
fn frames_of_other_requests_are_passed_over() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        let (id, _) = hear_ask(stream);
        say(stream, &done(id + 7));
        say(stream, &files(id + 7, &["x"]));
        say(stream, &done(id));
    })]);
    assert_eq!(
        Client::new(ground.options.clone()).call(&reading()),
        Ok(nothing())
    );
    daemon.join().expect("played");
}

#[test]
fn a_daemon_that_lets_the_deadline_pass_is_given_up() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        let _asked = hear_ask(stream);
        assert!(hung_up(stream));
    })]);
    let ask = reading().within(Duration::from_millis(50));
    let error = {
        let mut client = Client::new(ground.options.clone());
        client.call(&ask).expect_err("nothing came")
    };
    assert_eq!(error.kind, Kind::Unavailable);
    daemon.join().expect("played");
}

#[test]
fn the_error_of_the_daemon_arrives_as_it_was_made() {
    let made = Error::conflict("a").why("b").next("c");
    let (ground, told) = (Ground::new(), made.clone());
    let daemon = ground.serve(vec![part(move |stream| {
        greet(stream);
        let (id, _) = hear_ask(stream);
        say(stream, &ServerFrame::Failed { id, error: told });
    })]);
    assert_eq!(Client::new(ground.options.clone()).call(&reading()), Err(made));
    daemon.join().expect("played");
}
