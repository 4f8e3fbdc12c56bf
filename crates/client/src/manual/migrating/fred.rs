//! From fred: the same programs before and after.
//!
//! What is marked as fred is for comparison and not compiled.
//!
//! # Connecting
//!
//! ```ignore (fred)
//! let config = Config {
//!     server: ServerConfig::new_clustered(vec![("redis-1.example.net", 6379), ("redis-2.example.net", 6379)]),
//!     password: Some("secret".into()),
//!     tls: Some(TlsConfig { hostnames: TlsHostMapping::DefaultHost, ..TlsConnector::default_rustls()?.into() }),
//!     ..Config::default()
//! };
//! let client = Builder::from_config(config)
//!     .with_performance_config(|config| config.default_command_timeout = Duration::from_secs(2))
//!     .set_policy(ReconnectPolicy::new_exponential(0, 100, 30_000, 2))
//!     .build()?;
//! client.init().await?;
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), truename::Error> {
//! use std::time::Duration;
//! use truename::{Client, Config};
//!
//! let config = Config::new()
//!     .seeds([("redis-1.example.net", 6379), ("redis-2.example.net", 6379)])
//!     .password("secret")
//!     .command_timeout(Duration::from_secs(2));
//! let client = Client::connect(&config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `TlsHostMapping` is not needed: a certificate for the seed's name is accepted by default, and so is one for each node's own.
//! Connections are re-established automatically, so there is no `ReconnectPolicy`, and no pool: calls share a connection per
//! node.
//!
//! # Commands, replicas
//!
//! ```ignore (fred)
//! client.set::<(), _, _>("city", "Oslo", Some(Expiration::EX(60)), None, false).await?;
//! let city: Option<String> = client.replicas().get("city").await?;
//! let size: u64 = client.custom(cmd!("DBSIZE"), Vec::<String>::new()).await?;
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::{ReadFrom, cmd};
//!
//! client.run(cmd("SET").arg("city").arg("Oslo").arg(("EX", 60))).await?;
//! let city: Option<String> = client.execute(cmd("GET").arg("city").read_from(ReadFrom::PreferReplica)).await?;
//! // The sum of all primaries.
//! let size: u64 = client.execute(cmd("DBSIZE")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Pipelines
//!
//! ```ignore (fred)
//! let pipeline = client.pipeline();
//! pipeline.incr::<(), _>("visits:ada").await?;
//! pipeline.incr::<(), _>("visits:bob").await?;
//! let outcomes: Vec<Result<i64, Error>> = pipeline.try_all().await;
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) {
//! use truename::cmd;
//!
//! let mut batch = client.batch();
//! batch.extend(["visits:ada", "visits:bob"].map(|key| cmd("INCR").arg(key)));
//! let outcomes: Vec<Result<i64, truename::Error>> = batch.execute().await;
//! # }
//! ```
//!
//! # Scanning
//!
//! ```ignore (fred)
//! let mut scan = client.scan_cluster("user:*", Some(1000), None);
//! while let Some(mut page) = scan.try_next().await? {
//!     for key in page.take_results().unwrap_or_default() { println!("{key:?}"); }
//!     page.next();
//! }
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let mut keys = client.scan().matching("user:*").count(1000).keys();
//! while let Some(key) = keys.next().await {
//!     println!("{:?}", key?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every key that is there throughout is returned, through failovers and slots that move; what could not be scanned is an error
//! in the stream, so an incomplete scan never looks complete.
//!
//! # Errors
//!
//! ```ignore (fred)
//! match client.incr::<i64, _>("orders").await {
//!     Err(error) if *error.kind() == ErrorKind::Timeout => { /* nobody knows */ }
//!     other => other?,
//! }
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! match client.execute::<i64>(cmd("INCR").arg("orders")).await {
//!     Err(error) if error.may_have_executed() => println!("nobody knows: {error}"),
//!     other => println!("{}", other?),
//! }
//! # Ok(())
//! # }
//! ```
