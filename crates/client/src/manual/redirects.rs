//! Where a command goes, what the client does when a server says "not here", and when it asks for the topology.
//!
//! # Where a command goes
//!
//! The first key of a command decides its slot, the topology says which primary serves the slot, and the command is sent on the
//! connection to that primary. [`ReadFrom`] can send reads to replicas instead, all of a client's
//! ([`Config::read_from`](crate::Config::read_from)) or one ([`Command::read_from`](crate::Command::read_from)). All of its keys
//! have to be in one slot, which a hash tag brings about; a few commands are [split](super::several_nodes) otherwise.
//!
//! ```
//! use truename::topology::Slot;
//!
//! assert_eq!(Slot::of_key(b"{user:42}:name"), Slot::of_key(b"{user:42}:cart"));
//! assert_ne!(Slot::of_key(b"user:42"), Slot::of_key(b"user:43"));
//! ```
//!
//! A command without a key goes to a primary that is drawn at random. Three kinds of commands are refused with an
//! [`Error::Route`] before anything is sent:
//!
//! - what concerns every node and is not [one reply of all](super::several_nodes), such as `FLUSHALL`, `INFO` and `SCAN`
//!   ([`RouteError::SeveralNodes`]);
//! - what acts on the node that executes it, such as `CONFIG` and `SHUTDOWN` ([`RouteError::Administrative`]);
//! - what changes the state of its connection, such as `MULTI`, `SUBSCRIBE` and `SELECT`, since connections are shared
//!   ([`RouteError::ConnectionState`]); [`Client::dedicated`](crate::Client::dedicated) gives one that is not.
//!
//! The first two are sent once the call says where to: [`Command::route_to`], [`Command::route_by_key`],
//! [`Command::route_to_any`]. A single server gets them without that. [`Client::scan`](crate::Client::scan) scans all nodes.
//! About a command that neither Redis nor Valkey has, a module's for example, the client asks a server; see [`Command`].
//!
//! # What a server may answer
//!
//! | answer | what the client does |
//! |---|---|
//! | `MOVED` to another node | sends the command there at once, notes that this one slot is there, asks for the topology |
//! | `ASK` to another node | sends `ASKING` and the command there, next to each other on one connection; the topology stays as it is |
//! | either of them, naming the node that answered | pauses and looks the route up again, and replaces the connections to the node once everything on them is answered: managed services ask for a new connection in this way |
//! | either of them, for a slot that is not the command's, or without a known host | pauses and looks the route up again |
//! | `TRYAGAIN`, `CLUSTERDOWN`, `LOADING`, `MASTERDOWN`, `READONLY` | pauses and looks the route up again |
//! | any other error | returns it: [`Error::Server`] |
//!
//! All but the last say that the command was not executed, so it can be a write. It is tried until its deadline, with pauses
//! of milliseconds that grow to a quarter of a second. If the deadline comes during such a pause, the error is an
//! [`Error::Timeout`] whose [`execution`](crate::error::TimeoutError::execution) is [`Execution::RefusedForNow`], and
//! [`Error::last_refusal`] has what was said last, and the node that said it. A command that is sent around in circles fails
//! with [`RouteError::TooManyRedirects`], which has that, too.
//!
//! Exceptions:
//!
//! - A redirect to a name that is out of scope is not followed, and nothing is dialled; see [`identity`](super::identity).
//! - The errors of scripts, of functions and of commands that the client's table lacks are results: a script can
//!   answer with the text of a `MOVED`. Three are not: the servers' own `NOSCRIPT` and `TRYAGAIN`, and `CLUSTERDOWN` and its like
//!   where the command [may be executed twice](crate::ScriptCall::repeatable). The text of a redirect makes the client ask the
//!   node itself where the slot is, and only what that confirms is followed.
//! - A command with [`Command::route_to`] is for that node. A redirect, or a replica's refusal to write, is its result.
//! - A command that waits on the server (`BLPOP`) ends its wait when its slot goes to another node. It goes on there only if
//!   the old node says that nothing was popped; otherwise the error is an [`Error::Interrupted`].
//!
//! # When the topology is asked for
//!
//! - at [`Client::connect`], and again right after it;
//! - at least every [`Config::refresh_interval`];
//! - after a `MOVED`, a refusal, a slot without an owner, or a connection that ended, then again after 1, 2, 4 … seconds,
//!   until the pause has reached the interval. While trouble lasts, that is about once a second.
//!
//! Some connected nodes and a seed are asked, on connections of their own. What most of them say is adopted
//! ([`reconcile`](mod@crate::topology::reconcile)); if none can say, the current topology stays ([`Event::RefreshFailed`]).
//! Most of the seeds decide at the start which cluster is meant, so give three or more.
//!
//! No command waits for a refresh, except where it has nowhere to go:
//!
//! - If its slot has no owner, it waits for a topology in which there is one, until its deadline
//!   ([`RouteError::Unassigned`]).
//! - If only replicas may serve it ([`ReadFrom::Replica`]) and none is connected, it waits for one, until its deadline
//!   ([`RouteError::NoReplica`]).
//! - If it is redirected to a node that the topology lacks, it waits until the client has added that, for half a second.
//! - If a script's error looks like a redirect and the node does not say where the slot is, it waits for a newer topology
//!   that does, for a second.
//!
//! Trouble at one node delays no command to another.
//!
//! [`Event::TopologyChanged`] and [`Event::Redirected`] tell a program about it; [`Client::topology`] is the current state.
//!
//! [`Client::connect`]: crate::Client::connect
//! [`Client::topology`]: crate::Client::topology
//! [`Command`]: crate::Command
//! [`Command::route_by_key`]: crate::Command::route_by_key
//! [`Command::route_to_any`]: crate::Command::route_to_any
//! [`Command::route_to`]: crate::Command::route_to
//! [`Config::refresh_interval`]: crate::Config::refresh_interval
//! [`Error::last_refusal`]: crate::Error::last_refusal
//! [`Error::Interrupted`]: crate::Error::Interrupted
//! [`Error::Route`]: crate::Error::Route
//! [`Error::Server`]: crate::Error::Server
//! [`Error::Timeout`]: crate::Error::Timeout
//! [`Event::Redirected`]: crate::Event::Redirected
//! [`Event::RefreshFailed`]: crate::Event::RefreshFailed
//! [`Event::TopologyChanged`]: crate::Event::TopologyChanged
//! [`Execution::RefusedForNow`]: crate::error::Execution::RefusedForNow
//! [`ReadFrom`]: crate::ReadFrom
//! [`RouteError::Administrative`]: crate::error::RouteError::Administrative
//! [`RouteError::ConnectionState`]: crate::error::RouteError::ConnectionState
//! [`RouteError::SeveralNodes`]: crate::error::RouteError::SeveralNodes
//! [`RouteError::TooManyRedirects`]: crate::error::RouteError::TooManyRedirects
//! [`ReadFrom::Replica`]: crate::ReadFrom::Replica
//! [`RouteError::NoReplica`]: crate::error::RouteError::NoReplica
//! [`RouteError::Unassigned`]: crate::error::RouteError::Unassigned
