//! A lane that is connected once is down for good when its connection ends, whatever ended it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use arc_swap::ArcSwap;
use truename_resp::Limits;
use truename_topology::Endpoint;

use super::handle::LanePhase;
use super::pipeline::{Habit, PipelineBounds};
use super::push::LogPushes;
use super::task::{LaneContext, LaneObserver, LaneOptions, spawn_connection};
use super::{CloseCause, Failure, Form, Unit, request_limits};
use crate::clock;
use crate::config::{Config, Protocol};
use crate::connect::{ConnectionFacts, Connector, Target};
use crate::observe::NodeMeter;

struct Nobody;

impl LaneObserver for Nobody {
    fn connected(&self, _: &Arc<ConnectionFacts>) {}
    fn disconnected(&self, _: &Arc<CloseCause>) {}
}

/// Answers the commands of a greeting as a single server does, once it is told to.
fn serve(listener: TcpListener, may_answer: mpsc::Receiver<()>, was_asked: mpsc::Sender<()>) {
    let (mut peer, _) = listener.accept().expect("a connection");
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = peer.read(&mut bytes) {
        let _ = was_asked.send(());
        let _ = may_answer.recv();
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        let answer = |command: &str| match command.contains("CLUSTER") {
            true => "-ERR This instance has cluster support disabled\r\n",
            false => "+OK\r\n",
        };
        let answers: String = text.split('*').skip(1).map(answer).collect();
        if peer.write_all(answers.as_bytes()).is_err() {
            return;
        }
    }
}

/// It stayed open without a task: whoever used it waited for ever.
#[tokio::test]
async fn a_connection_that_was_to_be_replaced_is_down() {
    clock::start().expect("a thread");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().expect("bound").port());
    let (answer, may_answer) = mpsc::channel();
    let (asking, was_asked) = mpsc::channel();
    std::thread::spawn(move || serve(listener, may_answer, asking));
    let config = Config::new().seed(endpoint.host(), endpoint.port()).plaintext().protocol(Protocol::Resp2);
    let target = Arc::new(ArcSwap::from_pointee(Target::seed(&endpoint)));
    let context = LaneContext {
        connector: Arc::new(Connector::build(&config).expect("a connector")),
        target: target.clone(),
        known: Arc::default(),
        meter: Arc::new(NodeMeter::new(&endpoint)),
        pushes: Arc::new(LogPushes),
        made: Arc::default(),
    };
    let far = Duration::from_secs(60);
    let bounds = PipelineBounds { commands: 100, bytes: 1 << 20 };
    let options = LaneOptions::new(bounds, far, Habit { stall: far, usual: far }, Limits::default());
    let lane = spawn_connection(&tokio::runtime::Handle::current(), context, options, Nobody);
    lane.warm_up();
    tokio::task::spawn_blocking(move || was_asked.recv()).await.expect("no panic").expect("a greeting");
    // While it is dialled, its node gets another description.
    target.store(Arc::new(Target::seed(&endpoint)));
    for _ in 0..100 {
        let _ = answer.send(());
    }
    let is_down = async {
        while !matches!(lane.phase(), LanePhase::Down(_)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), is_down).await.expect("its task ended");
    let LanePhase::Down(cause) = lane.phase() else { panic!("it is down") };
    assert!(matches!(*cause, CloseCause::Renewed), "{cause}");
    let now = tokio::time::Instant::now();
    let limits = request_limits(now, now + far, far, Unit::command(Form::Decoded));
    let refused = lane.submit(limits, |out| out.extend_from_slice(b"x")).await;
    assert!(matches!(refused, Err(Failure::Unsent(_))), "{refused:?}");
}
