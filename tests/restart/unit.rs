//! The unit files, as systemd judges them.

use std::path::Path;
use std::process::Command;

/// What `systemd-analyze` says, or `None` where it is not installed.
fn analyze(arguments: &[&str]) -> Option<String> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .env("LC_ALL", "C")
        .env("SYSTEMD_PAGER", "")
        .output();
    let Ok(output) = output else {
        eprintln!("SKIP unit: systemd-analyze not installed");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&said).into_owned())
}

fn unit(name: &str) -> String {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    deploy.join(name).to_str().expect("a path of text").into()
}

#[test]
fn the_service_is_exposed_at_most_1_5() {
    let service = unit("p2p-relay.service");
    let Some(said) = analyze(&["security", "--offline=true", "--no-pager", &service]) else {
        return;
    };
    let overall = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let level = overall.and_then(|line| line.split(": ").nth(1)?.split(' ').next()?.parse().ok());
    let level: f64 = level.unwrap_or_else(|| panic!("no level in {said}"));
    assert!(level <= 1.5, "{said}");
}

#[test]
fn the_units_have_no_line_that_systemd_does_not_know() {
    let (service, socket) = (unit("p2p-relay.service"), unit("p2p-relay.socket"));
    let Some(said) = analyze(&["verify", "--man=no", &service, &socket]) else {
        return;
    };
    // On this machine the program need not be installed.
    let wrong = said
        .lines()
        .filter(|line| !line.contains("is not executable"));
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
}

/// The options that the units use are options of the program.
#[test]
fn the_service_starts_what_the_program_understands() {
    let service = std::fs::read_to_string(unit("p2p-relay.service")).expect("the unit is there");
    let mut commands = 0;
    for line in service
        .lines()
        .filter(|line| line.contains("/usr/local/bin/p2p-relay "))
    {
        let (_, arguments) = line
            .split_once("/usr/local/bin/p2p-relay ")
            .expect("it has it");
        let arguments = arguments.trim_end_matches(['\'', '&', ' ']).split(' ');
        let output = Command::new(env!("CARGO_BIN_EXE_p2p-relay"))
            .args(arguments)
            .arg("--version")
            .output()
            .expect("p2p-relay starts");
        assert!(output.status.success(), "{line}: {output:?}");
        commands += 1;
    }
    assert_eq!(commands, 2);
}
