//! From node-redis: the same programs before and after, and every option of `createCluster`.
//!
//! What is marked as JavaScript is for comparison.
//!
//! # Connecting
//!
//! ```js
//! const cluster = createCluster({
//!   rootNodes: [{ url: 'rediss://redis-1.example.net:6379' }, { url: 'rediss://redis-2.example.net:6379' }],
//!   defaults: {
//!     username: 'app',
//!     password: 'secret',
//!     socket: { tls: true, connectTimeout: 2000, ca: readFileSync('ca.pem') },
//!   },
//!   nodeAddressMap: (address) => {
//!     const [host, port] = address.split(':');
//!     return isIP(host) ? { host: 'redis-1.example.net', port: Number(port) } : undefined;
//!   },
//!   useReplicas: true,
//! });
//! cluster.on('error', console.error);
//! await cluster.connect();
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), truename::Error> {
//! use std::time::Duration;
//! use truename::topology::DialAddress;
//! use truename::{Client, Config, Credentials, ReadFrom, Tls};
//!
//! let config = Config::new()
//!     .root_nodes(["redis-1.example.net:6379", "redis-2.example.net:6379"])
//!     .credentials(Credentials::user("app", "secret"))
//!     .tls(Tls::new().ca_file("ca.pem")?)
//!     .node_connect_timeout(Duration::from_secs(2))
//!     // Usually not needed: this is what happens by itself where the announced address does not answer.
//!     .map_node_addresses(|node, seed| {
//!         node.endpoint.ip().map(|_| DialAddress::new(seed.host(), node.endpoint.port()))
//!     })
//!     .read_from(ReadFrom::PreferReplica);
//! let client = Client::connect(&config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What is configured holds for every node: there is no second place, such as `rootNodes` next to `defaults`, whose password or
//! TLS options reach some connections only. `connect` ends within its time-out, with an error that lists what failed at each
//! node.
//!
//! # The options of `createCluster`
//!
//! | option | here |
//! |---|---|
//! | `rootNodes` | [`Config::root_nodes`], [`Config::seeds`], or several hosts in one [URL](crate::url). Nothing else is said per node |
//! | `defaults` | [`Config`] itself; see below |
//! | `nodeAddressMap`, an object | [`Config::node_address_map`] with pairs of texts, or one [`Config::dial_rule`] for all of a network |
//! | `nodeAddressMap`, a function | [`Config::map_node_addresses`]. It gets the address in parts, IPv6 too. Seeds are not mapped, as in node-redis, unless [`Config::node_address_map_for_seeds`] says so |
//! | `minimizeConnections` | [`Client::lazy`] connects when it is first used. A client that is connected has a connection to every primary; to replicas, where it reads from them |
//! | `useReplicas` | [`Config::read_from`]: [`ReadFrom::PreferReplica`], or [`ReadFrom::Nearest`], which counts primaries in. [`Command::read_from`] for one command |
//! | `maxCommandRedirections` | nothing to set: redirects are followed until the call's deadline, and a cycle is an [error](crate::error::RouteError::TooManyRedirects) |
//! | `topologyRefreshOnReconnectionAttemptStrategy` | nothing to set: the topology is asked for after every lost connection and redirect, and every [`Config::refresh_interval`] |
//! | `commandOptions.timeout` | [`Config::command_timeout`], [`Command::timeout`]. They hold for the reply as well, not only until a command is written |
//! | `commandOptions.typeMapping`, `withTypeMapping` | the type that [`Client::execute`] returns |
//! | `commandOptions.abortSignal` | drop the future ([what that means](super::super::cancellation)) |
//! | `RESP` | [`Config::protocol`]. The default is RESP3 where the server has it; `RESP: 3` is [`Protocol::Resp3`], `RESP: 2` is [`Protocol::Resp2`] |
//! | `keyPrefix` | nothing: write it into the keys |
//! | `clientSideCache` | not implemented yet |
//! | `modules` | any command is sent as it is: `cmd("JSON.GET")`. Servers say where its keys are |
//! | `functions` | `cmd("FCALL").arg(name).arg(1).arg(key)` |
//! | `scripts` | [`Script`] |
//!
//! And those of `defaults`, which are a client's own:
//!
//! | option | here |
//! |---|---|
//! | `url` | [`Config::from_url`] |
//! | `username`, `password` | [`Config::credentials`], [`Config::password`] |
//! | `credentialsProvider` | not implemented yet |
//! | `name` | [`Config::client_name`] |
//! | `database` | [`Config::database`]: a cluster of Valkey 9 may have several |
//! | `socket.host`, `socket.port` | [`Config::seed`] |
//! | `socket.tls` | [`Config::tls`], which is the default; [`Config::plaintext`] for plaintext |
//! | `socket.ca`, `socket.cert`, `socket.key` | [`Tls::ca_file`], [`Tls::client_certificate_files`] |
//! | `socket.servername` | often not needed, as the seed's name is accepted; [`Config::verify_as`] for another one |
//! | `socket.checkServerIdentity` | [`Config::identity`] |
//! | `socket.rejectUnauthorized: false` | there is none: [`Config::reject_unauthorized`] says what to do instead |
//! | `socket.connectTimeout` | [`Config::node_connect_timeout`]; [`Config::connect_timeout`] for all of `connect` |
//! | `socket.socketTimeout`, `pingInterval` | [`Config::stall_timeout`], [`Config::keepalive`] |
//! | `socket.reconnectStrategy` | nothing to set: pauses grow to about a second |
//! | `socket.keepAlive`, `socket.noDelay` | always on |
//! | `commandsQueueMaxLength` | [`Config::max_in_flight`], [`Config::max_queued_bytes`]; beyond them calls wait rather than fail |
//! | `disableOfflineQueue` | nothing: a call waits for a connection until its deadline, so set that |
//! | `readonly` | [`Config::read_from`] |
//! | `commandOptions` | as above |
//! | `maintNotifications`, `maintEndpointType` and their time-outs | not used: a node that goes away is noticed, and redirects are followed |
//!
//! # Commands
//!
//! ```js
//! await cluster.set('city', 'Oslo', { EX: 60 });
//! const city = await cluster.get('city');
//! await cluster.hSet('user:42', { name: 'Ada', city: 'London' });
//! const won = (await cluster.set('lock', token, { NX: true, PX: 5000 })) === 'OK';
//! const reply = await cluster.sendCommand('user:42', true, ['JSON.GET', 'user:42']);
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client, token: &str) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! client.run(cmd("SET").arg("city").arg("Oslo").arg(("EX", 60))).await?;
//! let city: Option<String> = client.execute(cmd("GET").arg("city")).await?;
//! client.run(cmd("HSET").arg("user:42").args([("name", "Ada"), ("city", "London")])).await?;
//! let won: bool = client.execute(cmd("SET").arg("lock").arg(token).arg("NX").arg(("PX", 5000))).await?;
//! let reply: Option<String> = client.execute(cmd("JSON.GET").arg("user:42")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Transactions
//!
//! ```js
//! const [stock] = await cluster.multi().decr('stock:7').exec();
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) -> Result<(), truename::Error> {
//! use truename::cmd;
//!
//! let (stock,): (i64,) = client.batch().with(cmd("DECR").arg("stock:7")).atomic().all().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `WATCH` is [`Client::transaction`]. `multi().execAsPipeline()` is a batch without `atomic`, of any slots.
//!
//! # Events
//!
//! ```js
//! cluster.on('error', (error) => console.error(error));
//! cluster.on('node-reconnecting', ({ host, port }) => console.warn(host, port));
//! ```
//!
//! ```no_run
//! # async fn example(client: truename::Client) {
//! use truename::{Event, Notice};
//!
//! let mut events = client.events();
//! while let Some(notice) = events.next().await {
//!     if let Notice::Event(Event::Disconnected { node, cause }) = notice {
//!         eprintln!("{node}: {cause}");
//!     }
//! }
//! # }
//! ```
//!
//! Events are for people to look at: no error is reported by events alone, and one that nobody receives does not end the program.
//!
//! [`Client::execute`]: crate::Client::execute
//! [`Client::lazy`]: crate::Client::lazy
//! [`Client::transaction`]: crate::Client::transaction
//! [`Command::read_from`]: crate::Command::read_from
//! [`Command::timeout`]: crate::Command::timeout
//! [`Config::client_name`]: crate::Config::client_name
//! [`Config::command_timeout`]: crate::Config::command_timeout
//! [`Config::connect_timeout`]: crate::Config::connect_timeout
//! [`Config::credentials`]: crate::Config::credentials
//! [`Config::database`]: crate::Config::database
//! [`Config::dial_rule`]: crate::Config::dial_rule
//! [`Config::from_url`]: crate::Config::from_url
//! [`Config::identity`]: crate::Config::identity
//! [`Config::keepalive`]: crate::Config::keepalive
//! [`Config::map_node_addresses`]: crate::Config::map_node_addresses
//! [`Config::max_in_flight`]: crate::Config::max_in_flight
//! [`Config::max_queued_bytes`]: crate::Config::max_queued_bytes
//! [`Config::node_address_map_for_seeds`]: crate::Config::node_address_map_for_seeds
//! [`Config::node_address_map`]: crate::Config::node_address_map
//! [`Config::node_connect_timeout`]: crate::Config::node_connect_timeout
//! [`Config::password`]: crate::Config::password
//! [`Config::plaintext`]: crate::Config::plaintext
//! [`Config::protocol`]: crate::Config::protocol
//! [`Config::read_from`]: crate::Config::read_from
//! [`Config::refresh_interval`]: crate::Config::refresh_interval
//! [`Config::reject_unauthorized`]: crate::Config::reject_unauthorized
//! [`Config::root_nodes`]: crate::Config::root_nodes
//! [`Config::seed`]: crate::Config::seed
//! [`Config::seeds`]: crate::Config::seeds
//! [`Config::stall_timeout`]: crate::Config::stall_timeout
//! [`Config::tls`]: crate::Config::tls
//! [`Config::verify_as`]: crate::Config::verify_as
//! [`Config`]: crate::Config
//! [`Protocol::Resp2`]: crate::Protocol::Resp2
//! [`Protocol::Resp3`]: crate::Protocol::Resp3
//! [`ReadFrom::Nearest`]: crate::ReadFrom::Nearest
//! [`ReadFrom::PreferReplica`]: crate::ReadFrom::PreferReplica
//! [`Script`]: crate::Script
//! [`Tls::ca_file`]: crate::Tls::ca_file
//! [`Tls::client_certificate_files`]: crate::Tls::client_certificate_files
