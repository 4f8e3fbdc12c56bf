//! The longer examples, each as a process of its own, while their cluster is in trouble.
//!
//! What must stay true: cargo does not build them for this program alone, so whoever runs it does that first:
//! `cargo build -p truename --examples --all-features`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use crate::support::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truename::{FromReply, Reply};
use truename_lab::{Fault, Lab, LabProfile};

const SOON: Duration = Duration::from_secs(10);
const NAMES: [&str; 3] = ["web_cache", "job_queue", "rate_limiter"];

/// Where cargo put an example: beside the directory that this program is in.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let path = own.ancestors().nth(2).expect("a directory").join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let time = |path: &Path| path.metadata().and_then(|of| of.modified()).ok();
    assert!(
        time(&path) > time(&source),
        "{} is older than its source: cargo build -p truename --examples --all-features",
        path.display()
    );
    path
}

/// An example at work.
struct Example {
    child: Child,
    output: PathBuf,
}

impl Example {
    /// With the environment that `truename lab up` prints.
    fn start(lab: &Lab, name: &str, args: &[&str]) -> Self {
        let output = lab.dir().join(name);
        let file = File::create(&output).expect("a file");
        let (host, port) = lab.seed();
        let ca = lab.ca_pem_path().expect("a lab with TLS").display();
        let names: Vec<_> =
            lab.resolve().iter().map(|(name, _, address)| format!("{name}:{address}")).collect();
        let child = Command::new(program(name))
            .args(args)
            .env("TRUENAME_URL", format!("rediss://{host}:{port}?cacert={ca}"))
            .env("TRUENAME_PASSWORD", lab.password().unwrap_or_default())
            .env("TRUENAME_RESOLVE", names.join(","))
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file)
            .spawn()
            .expect("started");
        Self { child, output }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.output).expect("text")
    }

    async fn finish(mut self) -> String {
        let mut status: Option<ExitStatus> = None;
        eventually("the example ends by itself", Duration::from_secs(60), || {
            status = self.child.try_wait().expect("a child of ours");
            std::future::ready(status.is_some())
        })
        .await;
        let text = self.text();
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{text}");
        println!("{text}");
        text
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number that stands after a word, in whatever punctuation. What counts is where the word comes last, as complaints come
/// first, apart from the client's own metrics.
fn number(text: &str, label: &str) -> u64 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("truename_")).collect();
    let text = lines.join("\n");
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.collect();
    let places = words.windows(2).filter(|pair| pair[0] == label);
    places.filter_map(|pair| pair[1].parse().ok()).next_back().unwrap_or(0)
}

async fn ask<T: FromReply>(lab: &Lab, node: usize, args: &[&str]) -> T {
    let reply: Reply = lab.command(node, args).await.expect("the node answers");
    T::from_reply(reply).expect("the type")
}

/// Three primaries with a replica each.
async fn replicated() -> Lab {
    Lab::builder(LabProfile::Azure).shards(3).replicas(1).start().await.expect("the lab starts")
}

/// A key of this pattern, and the primary that has it.
async fn find(lab: &Lab, pattern: &str) -> Option<(usize, String)> {
    for node in lab.primaries() {
        if let Some(key) = ask::<Vec<String>>(lab, node.index, &["KEYS", pattern]).await.pop() {
            return Some((node.index, key));
        }
    }
    None
}

#[test]
fn the_longer_examples_say_what_they_need() {
    for name in NAMES {
        let run = |args: &[&str]| Command::new(program(name)).args(args).env_remove("TRUENAME_URL").output();
        let help = run(&["--help"]).expect("it ran");
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(help.status.success() && text.contains("usage: ") && text.contains("TRUENAME_URL"), "{text}");
        let lost = run(&[]).expect("it ran");
        let text = String::from_utf8_lossy(&lost.stderr).into_owned();
        assert!(!lost.status.success() && text.contains("truename lab up"), "{text}");
        let wrong = [
            ("TRUENAME_URL", "rediss://a.test"),
            ("TRUENAME_PASSWORD", "sesame"),
            ("TRUENAME_RESOLVE", "a.test:x"),
        ];
        let wrong = Command::new(program(name)).envs(wrong).output().expect("it ran");
        let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(!wrong.status.success() && text.contains("TRUENAME_RESOLVE: `x` is not"), "{text}");
        assert!(!text.contains("sesame"), "{text}");
        let mistyped = run(&["--no-such-option", "1"]).expect("it ran");
        assert_eq!(mistyped.status.code(), Some(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_cache_serves_every_page_while_a_primary_is_killed() {
    let lab = replicated().await;
    let cache = Example::start(&lab, "web_cache", &["--seconds", "8"]);
    eventually("items are cached", SOON, || async { ask::<u64>(&lab, 0, &["DBSIZE"]).await > 20 }).await;
    lab.node(0).kill();
    let text = cache.finish().await;
    assert!(number(&text, "pages") > 100 && number(&text, "failed") == 0, "{text}");
    // Only the killed node's items were missing, and came from what had been seen.
    assert!(
        number(&text, "partial") > 0 && number(&text, "stale") > 0 && number(&text, "hits") > 1000,
        "{text}"
    );
    assert!(text.contains("ended in good order: true"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_cache_starts_while_its_cluster_is_down() {
    let lab = Lab::builder(LabProfile::Azure).replicas(0).fault_proxies(true);
    let lab = lab.start().await.expect("the lab starts");
    lab.proxies().iter().for_each(|proxy| proxy.set(Fault::Refuse));
    let cache = Example::start(&lab, "web_cache", &["--seconds", "5"]);
    eventually("it serves", SOON, || std::future::ready(cache.text().contains("http://"))).await;
    let address = cache
        .text()
        .lines()
        .find_map(|line| Some(line.strip_prefix("http://")?.split_once('/')?.0.to_owned()));
    let mut visit = TcpStream::connect(address.expect("an address")).await.expect("connected");
    visit.write_all(b"GET /page/0 HTTP/1.1\r\n\r\n").await.expect("asked");
    let mut page = String::new();
    visit.read_to_string(&mut page).await.expect("answered");
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("\n19 "), "{page}");
    lab.proxies().iter().for_each(|proxy| proxy.pass());
    let text = cache.finish().await;
    assert!(number(&text, "failed") == 0 && number(&text, "bypassed") > 0, "{text}");
    assert!(number(&text, "hits") > 0 && number(&text, "loaded") > 0, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_queue_does_every_job_while_its_primary_is_killed() {
    let lab = replicated().await;
    let queue = Example::start(&lab, "job_queue", &["--jobs", "400"]);
    eventually("the first jobs are done", SOON, || async {
        match find(&lab, "{jobs:*}:done").await {
            Some((node, key)) => ask::<u64>(&lab, node, &["HLEN", &key]).await > 50,
            None => false,
        }
    })
    .await;
    let (node, key) = find(&lab, "{jobs:*}:done").await.expect("still there");
    lab.node(node).kill();
    let text = queue.finish().await;
    assert_eq!((number(&text, "jobs"), number(&text, "done")), (400, 400), "{text}");
    assert!(number(&text, "executed") >= 400 && text.contains("every job was done"), "{text}");
    // The new primary says the same.
    let node = lab.primary_of_key(key.as_bytes()).await.expect("an owner");
    assert_eq!(ask::<u64>(&lab, node, &["HLEN", &key]).await, 400);
    assert_eq!(ask::<u64>(&lab, node, &["LLEN", &key.replace("done", "queue")]).await, 0);
}

/// A failover by command loses no acknowledged write, so the counts stay exact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_limiter_admits_exactly_as_many_as_allowed_during_failovers() {
    let lab = replicated().await;
    // All calls of the first part are made at once and have ten seconds, failovers included, on whatever else the machine does.
    let options = ["--users", "100", "--calls", "60", "--seconds", "5"];
    let limiter = Example::start(&lab, "rate_limiter", &options);
    eventually("users are counted", SOON, || async { find(&lab, "{rate:*}:log").await.is_some() }).await;
    let replicas: Vec<usize> = lab.replicas().iter().map(|node| node.index).collect();
    for replica in replicas {
        lab.failover(replica).await.expect("handed over");
    }
    let text = limiter.finish().await;
    assert!(text.contains("burst: 1000 of 6000 admitted, 1000 expected"), "{text}");
    assert!(text.contains(" 0 too many in a window") && number(&text, "paced") > 1000, "{text}");
}
