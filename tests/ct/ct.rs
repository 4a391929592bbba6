//! `make ct`: no branch and no address depends on a secret, in the code as it ships.
//!
//! Runs under valgrind. Each job hides its secrets, and says how many reports it may cause: none, or one for
//! a verdict that is made public by branching on it. Planted mistakes show that valgrind would tell.

mod agree;
mod planted;
mod seal;
mod valgrind;

use std::process::ExitCode;

/// A piece of work on secrets.
struct Job {
    name: &'static str,
    work: fn(),
    reports: Reports,
}

/// What valgrind must say of a job.
enum Reports {
    /// So many times that a branch or an address depends on a secret.
    Exactly(u64),
    /// That it does: the job has a mistake in it.
    Some,
}

fn main() -> ExitCode {
    if !valgrind::is_there() {
        println!("SKIP ct: not under valgrind; run by `make ct`");
        return ExitCode::SUCCESS;
    }
    let mut held = true;
    for job in [seal::JOBS, agree::JOBS, planted::JOBS]
        .into_iter()
        .flatten()
    {
        let before = valgrind::reports();
        (job.work)();
        let reports = valgrind::reports() - before;
        let (holds, expected) = match job.reports {
            Reports::Exactly(number) => (reports == number, number.to_string()),
            Reports::Some => (reports > 0, "some".to_owned()),
        };
        let verdict = if holds { "PASS" } else { "FAIL" };
        println!(
            "{verdict}  {:<44}{reports:>4} reports  (expected: {expected})",
            job.name
        );
        held &= holds;
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
