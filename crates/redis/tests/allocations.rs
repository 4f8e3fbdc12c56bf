//! What a command costs in allocations, counted, against a real server: on one thread, so that caller and driver are both seen, in
//! the steady state.

use allocation_counter::measure;
use redis::AsyncCommands;
use truename_lab::{Lab, LabProfile};
use truename_redis::ClusterClient;

const COMMANDS: usize = 1000;

/// The command's two vectors, the future of `AsyncCommands`, ours, and the value.
#[test]
fn a_get_allocates_at_most_six_times() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lab = Lab::builder(LabProfile::Plain).replicas(0).password(None);
    let lab = runtime.block_on(lab.start()).expect("the lab starts");
    let urls: Vec<_> = lab.seeds().into_iter().map(|(host, port)| format!("redis://{host}:{port}")).collect();
    let client = ClusterClient::new(urls).expect("usable options");
    let mut connection = runtime.block_on(client.get_async_connection()).expect("connected");
    runtime.block_on(async {
        let () = connection.set("key", &[b'x'; 64][..]).await.expect("OK");
    });
    let mut read = || {
        runtime.block_on(async {
            for _ in 0..COMMANDS {
                let value: Vec<u8> = connection.get("key").await.expect("a value");
                assert_eq!(value.len(), 64);
            }
        });
    };
    read();
    // A refresh of the topology may fall into one of them, as some do after every start.
    let rounds = (0..5).map(|_| measure(&mut read));
    let counted = rounds.min_by_key(|counted| counted.count_total).expect("five rounds");
    let each = counted.count_total as f64 / COMMANDS as f64;
    eprintln!("{each:.2} allocations, {} bytes per GET", counted.bytes_total / COMMANDS as u64);
    assert!(each <= 6.0, "{each} allocations per GET");
    runtime.block_on(lab.shutdown());
}
