//! Clients that only use the client library, and make tasks until their standard input ends.
//!
//! Asked by the crash test. `crash-clients COUNT` prints `done <title>` for each task whose making was acknowledged and
//! `open <title>` for each that failed, in one write call each.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use client::{Ask, Client, Options};
use proto::task::{self, NewTask};
use proto::{Answer, Request, workspace};

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|word| word.parse::<u32>().ok());
    let (Some(count), Ok(options)) = (count, Options::from_env()) else {
        return ExitCode::from(2);
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..count {
            let (options, over) = (options.clone(), &over);
            scope.spawn(move || make(number, options, over));
        }
        let _its_end_is_the_word = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
    });
    ExitCode::SUCCESS
}

fn make(number: u32, options: Options, over: &AtomicBool) {
    let mut client = Client::new(options);
    for turn in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let title = format!("client-{number}-{turn}.");
        let call = task::Call {
            at: workspace::Which::At(proto::detect::From::Caller),
            what: task::Request::Add(Box::new(NewTask {
                title: title.clone(),
                ..NewTask::default()
            })),
        };
        let line = match client.call(&Ask::new(client::here(), Request::Task(Box::new(call)))) {
            Ok(Answer::Task(task::Answer::Task { task, .. })) if task.title == title => {
                format!("done {title}\n")
            }
            Ok(other) => format!("wrong {other:?}\n"),
            Err(error) => format!("open {title} {error}\n"),
        };
        if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}
