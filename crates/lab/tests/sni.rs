//! A front that picks its certificate by the name a client asks for, before a real node.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other tests use the rest")]
mod onlooker;
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::net::SocketAddr;

use onlooker::presented;
use support::ping;
use truename_lab::{CertificateSpec, Lab, LabError, LabProfile, SniFront};

const PORT: u16 = 6379;

/// The names of the leaf that is sent to a client that asks for `name`.
async fn names(address: SocketAddr, name: Option<&str>) -> Result<Vec<String>, String> {
    presented(address, name).await.map(|chain| chain[0].names.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_has_its_certificate_and_all_lead_to_the_node() {
    let lab = Lab::builder(LabProfile::Azure).replicas(0).fault_proxies(true).start().await.unwrap();
    let at = |n| SocketAddr::from((lab.spare_address(n), PORT));
    let rows = [
        (Some("One.test"), CertificateSpec::new(["one.test"])),
        (Some("two.test"), CertificateSpec::new(["two.test"]).intermediate(true)),
        (None, CertificateSpec::new(["front.test"])),
    ];
    let front = SniFront::listen(at(0), &lab, 1, rows).await.unwrap();
    assert_eq!(front.address(), at(0));
    lab.proxy(1).retarget(front.address());
    let proxy = lab.proxy(1).addresses()[0];
    for address in [front.address(), proxy] {
        assert_eq!(names(address, Some("one.test")).await.unwrap(), ["one.test"]);
        assert_eq!(presented(address, Some("two.test")).await.unwrap().len(), 2, "with its intermediate");
        assert_eq!(names(address, Some("other.test")).await.unwrap(), ["front.test"]);
        assert_eq!(names(address, None).await.unwrap(), ["front.test"]);
        ping(&lab, address, "one.test").await.unwrap();
        ping(&lab, address, "two.test").await.unwrap();
        assert!(ping(&lab, address, "other.test").await.unwrap_err().contains("not valid for name"));
    }
    let asked = front.asked();
    let expected = ["one.test", "two.test", "other.test"].map(|name| Some(name.to_owned()));
    assert_eq!((&asked[..3], &asked[3]), (&expected[..], &None));
    assert_eq!(asked.len(), 14);

    lab.node(1).kill();
    assert!(ping(&lab, front.address(), "one.test").await.is_err(), "nobody else answers in its place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_for_the_rest_their_handshake_is_refused() {
    let lab = Lab::builder(LabProfile::Azure).shards(1).replicas(0).start().await.unwrap();
    let at = SocketAddr::from((lab.spare_address(1), PORT));
    let rows = || [(Some("one.test"), CertificateSpec::new(["one.test"]))];
    let front = SniFront::listen(at, &lab, 0, rows()).await.unwrap();
    assert_eq!(names(at, Some("one.test")).await.unwrap(), ["one.test"]);
    for name in [Some("other.test"), None] {
        let refused = names(at, name).await.unwrap_err();
        assert!(refused.contains("alert"), "{refused}");
    }
    let taken = SniFront::listen(at, &lab, 0, rows()).await.unwrap_err();
    assert!(matches!(taken, LabError::AddressInUse { .. }), "{taken}");
    assert!(SniFront::listen(at, &lab, 1, rows()).await.unwrap_err().to_string().contains("no node 1"));
    drop(front);
    support::eventually("the front is gone", async || names(at, Some("one.test")).await.is_err()).await;
    let plain = Lab::builder(LabProfile::Plain).shards(1).replicas(0).start().await.unwrap();
    let error = SniFront::listen(at, &plain, 0, rows()).await.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
}
