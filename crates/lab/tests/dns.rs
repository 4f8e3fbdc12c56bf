//! The name server of labs, asked over its sockets, and the names of a real lab that it tells.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use truename_lab::{DnsAnswer, DnsServer, Lab, LabProfile};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ANY: SocketAddr = SocketAddr::new(LOOPBACK, 0);
/// How long is waited for a reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for one that must not come.
const MOMENT: Duration = Duration::from_millis(200);

fn request(name: &str, kind: RecordType) -> Message {
    let mut request = Message::query();
    request.metadata.recursion_desired = true;
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    request.add_query(Query::query(name, kind));
    request
}

fn read(request: &Message, reply: &[u8]) -> Message {
    let reply = Message::from_vec(reply).unwrap();
    assert_eq!((reply.metadata.id, &reply.queries), (request.metadata.id, &request.queries));
    reply
}

async fn over_udp(server: SocketAddr, request: &Message) -> Message {
    let socket = sent(server, request).await;
    let mut reply = vec![0; 65_536];
    let received = timeout(PATIENCE, socket.recv_from(&mut reply)).await.expect("a reply").unwrap();
    assert_eq!(received.1, server);
    read(request, &reply[..received.0])
}

async fn is_silent_over_udp(server: SocketAddr, request: &Message) -> bool {
    let socket = sent(server, request).await;
    timeout(MOMENT, socket.recv_from(&mut [0; 512])).await.is_err()
}

async fn sent(server: SocketAddr, request: &Message) -> UdpSocket {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.send_to(&request.to_vec().unwrap(), server).await.unwrap();
    socket
}

async fn over_tcp(stream: &mut TcpStream, request: &Message) -> Message {
    send(stream, request).await;
    let length = timeout(PATIENCE, stream.read_u16()).await.expect("a reply").unwrap();
    let mut reply = vec![0; usize::from(length)];
    stream.read_exact(&mut reply).await.unwrap();
    read(request, &reply)
}

/// The connection stays.
async fn is_silent_over_tcp(stream: &mut TcpStream, request: &Message) -> bool {
    send(stream, request).await;
    timeout(MOMENT, stream.read_u8()).await.is_err()
}

async fn send(stream: &mut TcpStream, request: &Message) {
    let bytes = request.to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
}

fn addresses(reply: &Message) -> Vec<IpAddr> {
    reply.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
}

#[tokio::test]
async fn both_transports_tell_the_same_and_what_was_asked_is_known() {
    let dns = DnsServer::listen(ANY).await.unwrap();
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    dns.set("node.test", DnsAnswer::Addresses(vec![LOOPBACK, six])).unwrap();
    dns.set("alias.test", DnsAnswer::Alias("node.test".to_owned())).unwrap();
    dns.set("broken.test", DnsAnswer::ServerFailure).unwrap();
    let mut stream = TcpStream::connect(dns.address()).await.unwrap();
    let rows = [
        ("node.test", RecordType::A, ResponseCode::NoError, vec![LOOPBACK]),
        ("Alias.test", RecordType::AAAA, ResponseCode::NoError, vec![six]),
        ("broken.test", RecordType::A, ResponseCode::ServFail, vec![]),
        ("nobody.test", RecordType::A, ResponseCode::NXDomain, vec![]),
    ];
    for (name, kind, code, expected) in rows {
        let request = request(name, kind);
        let replies = [over_udp(dns.address(), &request).await, over_tcp(&mut stream, &request).await];
        for reply in replies {
            assert_eq!((reply.metadata.response_code, addresses(&reply)), (code, expected.clone()), "{name}");
            assert!(reply.metadata.recursion_available, "as servers do that resolvers ask");
        }
    }
    let asked: Vec<_> =
        dns.asked().into_iter().map(|asked| (asked.name, asked.kind, asked.over_tcp)).collect();
    assert_eq!(asked.len(), 8);
    assert_eq!(asked[2..4], [false, true].map(|tcp| ("Alias.test".to_owned(), "AAAA".to_owned(), tcp)));
}

#[tokio::test]
async fn silence_is_for_one_name_or_for_all_and_ends() {
    let dns = DnsServer::listen(ANY).await.unwrap();
    dns.set_address("node.test", LOOPBACK).unwrap();
    dns.set("silent.test", DnsAnswer::Silence).unwrap();
    let mut stream = TcpStream::connect(dns.address()).await.unwrap();
    let [node, silent] = ["node.test", "silent.test"].map(|name| request(name, RecordType::A));
    assert!(is_silent_over_udp(dns.address(), &silent).await);
    assert!(is_silent_over_tcp(&mut stream, &silent).await);
    assert_eq!(addresses(&over_tcp(&mut stream, &node).await), [LOOPBACK]);
    dns.set_all(DnsAnswer::Silence).unwrap();
    assert!(is_silent_over_udp(dns.address(), &node).await);
    dns.set_all(None).unwrap();
    assert_eq!(addresses(&over_udp(dns.address(), &node).await), [LOOPBACK]);
}

#[tokio::test]
async fn a_reply_too_large_for_udp_says_so_and_is_whole_over_tcp() {
    let dns = DnsServer::listen(ANY).await.unwrap();
    let many: Vec<IpAddr> = (1..=60).map(|host| Ipv4Addr::new(127, 0, 0, host).into()).collect();
    dns.set("many.test", DnsAnswer::Addresses(many.clone())).unwrap();
    let mut request = request("many.test", RecordType::A);
    let cut = over_udp(dns.address(), &request).await;
    assert!(cut.metadata.truncation && cut.answers.is_empty() && cut.edns.is_none());
    let mut stream = TcpStream::connect(dns.address()).await.unwrap();
    let whole = over_tcp(&mut stream, &request).await;
    assert_eq!((whole.metadata.truncation, addresses(&whole)), (false, many.clone()));
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    request.set_edns(edns);
    let whole = over_udp(dns.address(), &request).await;
    assert_eq!((whole.metadata.truncation, addresses(&whole)), (false, many));
    assert!(whole.edns.is_some());
}

#[tokio::test]
async fn nonsense_is_not_answered_and_does_no_harm() {
    let dns = DnsServer::listen(ANY).await.unwrap();
    dns.set_address("node.test", LOOPBACK).unwrap();
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.send_to(b"not a message", dns.address()).await.unwrap();
    let mut stream = TcpStream::connect(dns.address()).await.unwrap();
    stream.write_all(b"\x00\x03abc").await.unwrap();
    let request = request("node.test", RecordType::A);
    assert_eq!(addresses(&over_tcp(&mut stream, &request).await), [LOOPBACK]);
    assert_eq!(addresses(&over_udp(dns.address(), &request).await), [LOOPBACK]);
    assert!(timeout(MOMENT, socket.recv_from(&mut [0; 16])).await.is_err());
}

#[tokio::test]
async fn dropping_it_frees_both_ports() {
    let dns = DnsServer::listen(ANY).await.unwrap();
    let address = dns.address();
    let error = DnsServer::listen(address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    drop(dns);
    let started = std::time::Instant::now();
    while DnsServer::listen(address).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_names_of_a_lab_are_told_at_an_address_of_its_network() {
    let lab = Lab::builder(LabProfile::Aws).replicas(0).start().await.unwrap();
    let dns = DnsServer::listen((lab.spare_address(0), 5300).into()).await.unwrap();
    assert_eq!(dns.address(), SocketAddr::new(lab.spare_address(0), 5300));
    for (name, _, address) in lab.resolve() {
        dns.set_address(&name, address).unwrap();
    }
    for node in lab.nodes() {
        let (host, port) = node.announced();
        let reply = over_udp(dns.address(), &request(&host, RecordType::A)).await;
        let [RData::A(address)] = [&reply.answers[0].data] else { panic!("{reply:?}") };
        TcpStream::connect((address.0, port)).await.unwrap();
    }
    let near = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets()[..3].to_vec(),
        IpAddr::V6(ip) => panic!("{ip}"),
    };
    let taken: Vec<_> = lab.nodes().iter().map(|node| node.address).collect();
    for n in [0, 53] {
        assert_eq!(near(lab.spare_address(n)), near(taken[0]));
        assert!(!taken.contains(&lab.spare_address(n)));
    }
}
