//! Who must answer, and where: TLS where a cluster announces addresses that cannot be reached or that no certificate
//! carries.
//!
//! # Two questions
//!
//! | question | answer by default |
//! |---|---|
//! | Where is a node dialled? | At the address that the cluster announces. If that fails, or is silent for 250 ms, also at the host of the seed with the announced port, where only the announced node id is accepted. |
//! | Which name must it prove? | One of: the host that it announces, its announced `hostname`, the configured seed that led to it. Each must be in a certificate that chains to a trusted root. |
//!
//! The two are independent: a rule for where to dial changes no name, and the address that was dialled is never a name that
//! counts. A provider's profile may answer the first one: Azure's nodes are dialled at the seed's host straight away.
//! [`topology::address`](crate::topology::address) has the rules in full.
//!
//! # What to write
//!
//! | situation | what it takes |
//! |---|---|
//! | a managed cluster, by its public name | nothing: the [`Profile`] follows from the name. [`Config::profile`] chooses one where a name of your own hides it. |
//! | a private endpoint, by a name that the certificate carries | nothing if your DNS knows it, else [`Config::resolve`] |
//! | a name or address that the certificate does not carry: a CNAME, a load balancer, a bare IP address | [`Config::verify_as`] with a name that it carries |
//! | NAT, a VPN or a tunnel in which the nodes keep their ports | nothing where the servers report their node ids, else a rule: `ip=seed` |
//! | the same with shifted ports | [`Config::dial_rule`]: `10.0.0.0/8=seed:+1000` |
//! | a tunnel with a local port for each node | [`Config::node_address_map`], or a rule for each: `10.0.0.4:8501=127.0.0.1:18501` |
//! | Docker, published under other ports | a rule: `172.16.0.0/12=seed:+10000` |
//! | Kubernetes, pods that announce short names | a rule: `*={host}.redis.default.svc.cluster.local` |
//! | a certificate authority of your own | [`Tls::ca_file`] |
//! | nodes with names in a domain other than the seed's, and public authorities | [`Config::trust`]: `*.cache.example.org` |
//!
//! ```
//! use truename::topology::IdentityName;
//! use truename::{Config, Tls};
//!
//! // The end of an SSH tunnel: the certificate is still that of the real cluster.
//! let name = IdentityName::parse("redis.example.net")?;
//! let tunnel = Config::new().seed("127.0.0.1", 6379).verify_as(name);
//!
//! // Behind NAT, with ports that are shifted, and an authority of one's own.
//! # fn example() -> Result<Config, Box<dyn std::error::Error>> {
//! let nat = Config::new()
//!     .seed("gateway.example.net", 17000)
//!     .tls(Tls::new().ca_file("ca.pem")?)
//!     .dial_rule("10.0.0.0/8=seed:+10000");
//! # Ok(nat)
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The scope: what a cluster may announce
//!
//! Public authorities give everybody a certificate for a name of their own, and whoever can influence a topology can
//! announce such a name. So under public authorities an announced name counts only in the [`Scope`]: a seed's host, what
//! lies under a seed's parent domain, what the provider's profile adds, and what [`Config::trust`] or [`Config::verify_as`]
//! allows. Any other name is neither dialled nor accepted, nor is a redirect to it followed. An announced IP address is
//! dialled, but proves nothing unless it is a seed's or allowed.
//!
//! ```
//! use truename::topology::Scope;
//!
//! let scope = Scope::new().with_seed("redis.example.net", None);
//! assert!(scope.admits_host("node-1.example.net"));
//! assert!(!scope.admits_host("node-1.example.org")); // needs `Config::trust`
//!
//! let scope = scope.with_trust(["*.example.org".parse()?]);
//! assert!(scope.admits_host("node-1.example.org"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With roots that are yours alone ([`Tls::ca_file`] without a public authority in the file) everything that they signed
//! counts. Where other customers of a provider have certificates under the same domain, its profile narrows the scope to the
//! seed's own name.
//!
//! To accept less: [`IdentityPolicy::Seed`], [`IdentityPolicy::Only`], pins on public keys ([`Tls::pin`]), revocation lists
//! ([`Tls::crl_file`]), [`Tls::min_version`]. `danger_*` methods of [`Tls`] accept more: one skips the names, the other
//! every check of the certificate but pins. [`Client::replace_tls`](crate::Client::replace_tls) changes all of this while a
//! client runs.
//!
//! # The node id
//!
//! A certificate that all nodes share cannot tell them apart. So each connection asks for the node's id in its first round
//! trip, and a node that reports a different id from the announced one is not sent a command. That protects commands against
//! crossed tunnels and recycled addresses. It is not authentication, and the login comes before it. A server that never
//! reported an id (Redis Enterprise rejects `CLUSTER MYID`) is accepted at the announced address, and, over TLS, wherever a
//! rule leads.
//!
//! # Plaintext
//!
//! TLS is the default, and there is no fallback to plaintext. [`Config::plaintext`] and `redis://` turn it off; then no name
//! is proved, and no password is sent to a provider that speaks TLS, unless [`Config::danger_plaintext_credentials`] is set.
//!
//! # What an error says
//!
//! A connection that cannot be made is an [`Error::Connect`](crate::Error::Connect) with one entry per attempt, twenty at
//! most:
//!
//! ```text
//! cannot connect to seed 10.0.0.4:6379
//!   dialled    10.0.0.4:6379
//!   failed at  tls after 8 ms
//!   cause      the certificate is valid for none of the acceptable names
//!   acceptable 10.0.0.4 (seed)
//!   presented  redis.example.net
//!   issuer     CN=Example CA
//!   valid      2026-01-01 00:00 UTC to 2027-01-01 00:00 UTC
//!   remedy     if redis.example.net is your cluster, connect by that name, or add it as acceptable with Config::verify_as("redis.example.net".parse()?)
//! ```
//!
//! A remedy names the call to make; the `truename` tool names its option instead ([`Error::spelled`]). [`Cause::code`] is for
//! programs:
//!
//! | code | what it means |
//! |---|---|
//! | `name-mismatch` | trusted, and valid for other names: `presented` has them |
//! | `unknown-issuer` | the authority is not trusted, or the server does not send its intermediates |
//! | `out-of-scope` | an announced name that does not count; it was not dialled |
//! | `wrong-node` | another node answered, or one that does not prove its id where it must |
//! | `plaintext-port`, `tls-port` | the port speaks the other one |
//! | `refused`, `timed-out` in phase `tcp` | the announced address cannot be reached: a rule is missing, or the node is down |
//!
//! [`probe::examine`](crate::probe::examine) looks at every seed and node in this way, whether they fail or not.
//!
//! [`Cause::code`]: crate::error::Cause::code
//! [`Config::danger_plaintext_credentials`]: crate::Config::danger_plaintext_credentials
//! [`Config::dial_rule`]: crate::Config::dial_rule
//! [`Config::node_address_map`]: crate::Config::node_address_map
//! [`Config::plaintext`]: crate::Config::plaintext
//! [`Config::profile`]: crate::Config::profile
//! [`Config::resolve`]: crate::Config::resolve
//! [`Config::trust`]: crate::Config::trust
//! [`Config::verify_as`]: crate::Config::verify_as
//! [`Error::spelled`]: crate::Error::spelled
//! [`IdentityPolicy::Only`]: crate::topology::IdentityPolicy::Only
//! [`IdentityPolicy::Seed`]: crate::topology::IdentityPolicy::Seed
//! [`Profile`]: crate::topology::Profile
//! [`Scope`]: crate::topology::Scope
//! [`Tls`]: crate::Tls
//! [`Tls::ca_file`]: crate::Tls::ca_file
//! [`Tls::crl_file`]: crate::Tls::crl_file
//! [`Tls::min_version`]: crate::Tls::min_version
//! [`Tls::pin`]: crate::Tls::pin
