//! Watching what the client notices, while a workload runs. Try `redeploy` or `kill 0` in the lab's terminal.

use std::time::Duration;

use truename::{Client, Config, Notice, cmd};

#[tokio::main]
async fn main() -> Result<(), truename::Error> {
    let client = Client::connect(&Config::from_env()?).await?;
    let mut events = client.events();
    let worker = client.clone();
    tokio::spawn(async move {
        for n in 0u64.. {
            let key = format!("example:{}", n % 100);
            if let Err(error) = worker.run(cmd("SET").arg(&key).arg(n)).await {
                println!("SET failed, may have been executed: {}; {error}", error.may_have_executed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let watch = async {
        while let Some(notice) = events.next().await {
            match notice {
                Notice::Event(event) => println!("{event:?}"),
                other => println!("{other:?}"),
            }
        }
    };
    // A minute is enough to try things out.
    tokio::time::timeout(Duration::from_secs(60), watch).await.ok();
    Ok(())
}
