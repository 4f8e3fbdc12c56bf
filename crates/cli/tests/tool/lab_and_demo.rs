//! `truename lab up` and `truename demo`, as a user runs them: what they print works, and they leave nothing behind.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{VARIABLE, finished, run, truename, type_line, words};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const SOON: Duration = Duration::from_secs(20);

/// A lab that runs as a process of its own.
struct Up {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    recipe: Value,
}

async fn up(options: &str) -> Up {
    let mut command = truename(&words(&["lab up --json --for 2m", options]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env(VARIABLE, "a password");
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(SOON, stdout.next_line()).await.unwrap().unwrap();
    Up { child, stdout, recipe: serde_json::from_str(&line.expect("the recipe")).unwrap() }
}

impl Up {
    /// The arguments after `truename doctor`.
    fn options(&self) -> String {
        self.recipe["truename"].as_str().unwrap().trim_start_matches("truename doctor ").replace('\'', "")
    }

    fn processes(&self) -> Vec<u64> {
        self.recipe["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["process"].as_u64().unwrap())
            .collect()
    }

    /// Waits for the end and asserts that nothing is left.
    async fn ended(mut self) {
        let status = tokio::time::timeout(SOON, self.child.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(self.stdout.next_line().await.unwrap(), None, "one document and nothing else");
        let directory = Path::new(self.recipe["cacert"].as_str().unwrap()).parent().unwrap().to_owned();
        let servers = self.processes();
        let started = Instant::now();
        // A collected process has no entry; poll, because a number may linger for a moment.
        while directory.exists() || servers.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "something is left of {directory:?} {servers:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_lab_tells_how_to_connect_and_obeys() {
    let mut up = up("--profile nat --until-eof").await;
    let options = up.options();
    assert!(options.contains("--map *=seed:+1000"), "{options}");
    for code in ["rust", "node_redis", "redis_cli"] {
        assert!(up.recipe[code].as_str().unwrap().contains("TRUENAME_PASSWORD"), "{code}");
    }
    let password = up.recipe["password"].as_str().unwrap().to_owned();
    let options = options.replace("TRUENAME_PASSWORD", VARIABLE);
    let exec = async |words_: &[&str]| {
        let mut args = words(&["exec", &options, "--"]);
        args.extend(words_.iter().map(|word| (*word).to_owned()));
        run(&args, Some(&password)).await
    };
    exec(&["SET", "city", "Oslo"]).await.ends_with(0);

    let mut stdin = up.child.stdin.take().unwrap();
    let mut stderr = BufReader::new(up.child.stderr.take().unwrap()).lines();
    for (line, answer) in [
        ("frobnicate", "is not a command"),
        ("kill 9", "there is no node 9"),
        ("failover 3", "failover 3: done in"),
        ("redeploy", "redeploy: done in"),
    ] {
        type_line(&mut stdin, line).await;
        let said = tokio::time::timeout(SOON, stderr.next_line()).await.unwrap().unwrap().unwrap();
        assert!(said.contains(answer), "{line}: {said}");
    }
    assert_eq!(exec(&["GET", "city"]).await.ends_with(0).stdout, "Oslo\n", "data survives a redeploy");
    drop(stdin);
    up.ended().await;
}

/// What a lab tells people to export was read by the library's examples alone.
#[tokio::test]
async fn the_environment_that_a_lab_tells_will_do() {
    let mut up = up("--profile azure --replicas 0 --until-eof").await;
    let recipe = up.recipe.clone();
    let text = |key: &str| recipe[key].as_str().unwrap();
    let names = recipe["resolve"].as_array().unwrap().iter();
    let names: Vec<_> = names
        .map(|name| format!("{}:{}", name["host"].as_str().unwrap(), name["address"].as_str().unwrap()))
        .collect();
    let ping = async |more: &str| {
        let args = words(&["ping", more]);
        let mut command = truename(&args);
        command.env("TRUENAME_URL", text("url")).env("TRUENAME_PASSWORD", text("password"));
        command.env("TRUENAME_RESOLVE", names.join(","));
        finished(args.join(" "), command).await
    };
    ping("").await.ends_with(0);
    // Its password and its addresses are not those of a cluster that is typed, even if it is the same.
    let (host, port) = (recipe["seed"]["host"].as_str().unwrap(), recipe["seed"]["port"].as_u64().unwrap());
    let typed = format!("{host}:{port} --cacert {} --connect-timeout 3s", text("cacert"));
    ping(&typed).await.says(&["does not resolve"]);
    let resolved = names.iter().fold(typed, |line, name| format!("{line} --resolve {name}"));
    ping(&resolved).await.says(&["asks for a password and none was given"]);
    drop(up.child.stdin.take());
    up.ended().await;
}

#[tokio::test]
async fn a_lab_ends_with_a_signal() {
    let up = up(&format!("--profile azure --replicas 0 --password-env {VARIABLE}")).await;
    assert!(up.recipe["password"].is_null(), "a given password is not repeated");
    run(&words(&["doctor", &up.options()]), Some("a password")).await.ends_with(0);
    let pid = i32::try_from(up.child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    up.ended().await;
}

#[tokio::test]
async fn the_demo_passes_and_says_so() {
    let demo = truename(&["demo", "--seconds", "2", "--json"]);
    let run = finished("demo --seconds 2 --json".to_owned(), demo).await.ends_with(0);
    let summary = run.json();
    assert!(summary["operations"].as_u64().unwrap() > 100, "{summary}");
    for key in ["wrong_answers", "duplicates", "lost", "unread"] {
        assert_eq!(summary[key], 0, "{key}: {summary}");
    }
    assert!(summary["recovered_ms"].as_f64().is_some(), "{summary}");
    let (before, after) = (&summary["verified_before"], &summary["verified_after"]);
    for node in before.as_array().unwrap().iter().chain(after.as_array().unwrap()) {
        assert_eq!(node["identity"]["source"], "seed", "{node}");
        assert_eq!(node["node_id_confirmed"], true, "{node}");
    }
    let names = |nodes: &Value| -> Vec<String> {
        nodes.as_array().unwrap().iter().map(|node| node["node"].to_string()).collect()
    };
    assert!(names(before).iter().all(|node| !names(after).contains(node)), "every node moved");
}

#[tokio::test]
async fn the_demo_explains_the_trap_and_ends_on_a_signal() {
    let mut command = truename(&["demo", "--seconds", "60"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while !text.contains("4. Writing") {
        let line = tokio::time::timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        text.push_str(&line.expect("the demo goes on"));
        text.push('\n');
    }
    for part in [
        "valid for none of the acceptable names",
        "presented  *.westus3",
        "node-redis 6.3.1",
        "(seed)",
        "confirmed",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(SOON, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(130));
}
