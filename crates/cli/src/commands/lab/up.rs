//! `truename lab up`: a lab that runs until something ends it.
//!
//! Whatever ends it (Ctrl-C, SIGTERM, the time that was given, the end of standard input, `quit`), servers and files
//! are gone when the process is.

use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use truename_lab::{Lab, LabConfig, LabError, LabNode};

use super::console::{self, Order};
use super::recipe::Recipe;
use crate::args::lab::UpArgs;
use crate::commands::signals::Signals;
use crate::context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::table::{Cell, Table};
use crate::render::{Output, human};

/// Starts the lab, prints how to connect, and keeps it running.
pub(crate) async fn up(args: &UpArgs, output: &mut Output) -> Result<Exit, Failure> {
    let config = config(args)?;
    context::password_warning(&args.password).iter().for_each(|warning| output.warn(warning));
    let mut signals = Signals::listen()?;
    let lab = tokio::select! {
        lab = config.start() => lab?,
        () = signals.next() => return Ok(Exit::Signal),
    };
    let mut running = Running { lab, output, orders: console::lines(), until_eof: args.until_eof };
    let ended = running.serve(args, &mut signals).await;
    running.lab.shutdown().await;
    ended.map(|()| Exit::Ok)
}

fn config(args: &UpArgs) -> Result<LabConfig, Failure> {
    let mut config = Lab::builder(args.profile).shards(args.shards).replicas(args.replicas);
    if args.tls || args.plain {
        config = config.tls(args.tls);
    }
    if let Some(password) = context::password(&args.password)? {
        config = config.password(Some(&password));
    }
    Ok(config)
}

struct Running<'a> {
    lab: Lab,
    output: &'a mut Output,
    orders: UnboundedReceiver<String>,
    until_eof: bool,
}

impl Running<'_> {
    async fn serve(&mut self, args: &UpArgs, signals: &mut Signals) -> Result<(), Failure> {
        self.output.show(&Recipe::new(&self.lab, &args.password))?;
        tokio::select! {
            ended = self.obey() => ended,
            () = after(args.duration) => Ok(()),
            () = signals.next() => Ok(()),
        }
    }

    /// Does what is typed until it is `quit`.
    async fn obey(&mut self) -> Result<(), Failure> {
        loop {
            let Some(line) = self.orders.recv().await else {
                return if self.until_eof { Ok(()) } else { pending().await };
            };
            match line.parse() {
                _ if line.trim().is_empty() => {}
                Ok(Order::Quit) => return Ok(()),
                Ok(order) => self.execute(order).await?,
                Err(why) => self.output.warn(&why),
            }
        }
    }

    async fn execute(&mut self, order: Order) -> Result<(), Failure> {
        let count = self.lab.nodes().len();
        if let Some(missing) = order.node().filter(|&index| index >= count) {
            self.output.warn(&format!("there is no node {missing}; the nodes are 0 to {}", count - 1));
            return Ok(());
        }
        let done = match order {
            Order::Help => return self.output.page(|page| page.line(console::HELP)),
            Order::Status | Order::Quit => return self.status().await,
            Order::Redeploy => self.lab.redeploy().await.map(Some),
            Order::Failover(index) => self.lab.failover(index).await.map(Some),
            Order::Restart(index) => self.lab.node(index).restart().await.map(|()| None),
            Order::Kill(index) => self.at_once(index, LabNode::kill),
            Order::Stop(index) => self.at_once(index, LabNode::stop),
            Order::Cont(index) => self.at_once(index, LabNode::cont),
        };
        self.tell(order, done);
        Ok(())
    }

    fn at_once(&self, index: usize, act: impl FnOnce(&LabNode)) -> Result<Option<Duration>, LabError> {
        act(self.lab.node(index));
        Ok(None)
    }

    /// What went wrong with an order does not end the lab. All of it is progress, and so not for standard output,
    /// where a program may be waiting for JSON.
    fn tell(&self, order: Order, done: Result<Option<Duration>, LabError>) {
        let text = match done {
            Ok(Some(took)) => format!("{order}: done in {}", human::duration(took)),
            Ok(None) => format!("{order}: done"),
            Err(error) => return self.output.warn(&error.to_string()),
        };
        self.output.progress(&text);
    }

    async fn status(&mut self) -> Result<(), Failure> {
        let mut table =
            Table::new(["node", "state", "role", "shard", "announced", "listens on", "process", "node id"]);
        for node in self.lab.nodes() {
            let (host, port) = node.announced();
            let (state, role) = state(node).await;
            table.row([
                node.index.to_string().into(),
                state,
                role.into(),
                node.shard.to_string().into(),
                format!("{host}:{port}").into(),
                node.socket_addr().to_string().into(),
                node.pid().map(|pid| pid.to_string()).unwrap_or_default().into(),
                node.id.as_str().into(),
            ]);
        }
        self.output.page(|page| page.table(&table))
    }
}

/// Whether a node answers, and which role it says it has.
async fn state(node: &LabNode) -> (Cell, &'static str) {
    const PATIENCE: Duration = Duration::from_millis(500);
    if !node.is_running() {
        return (Cell::bad("ended"), "");
    }
    let Ok(Ok(reply)) = tokio::time::timeout(PATIENCE, node.command(&["ROLE"])).await else {
        return (Cell::doubtful("silent"), "");
    };
    // `ROLE` answers `master` or `slave` first.
    let role = reply.as_array().and_then(|fields| fields.first()).and_then(truename::Reply::as_str);
    match role {
        Some("master") => (Cell::good("runs"), "primary"),
        Some("slave") => (Cell::good("runs"), "replica"),
        _ => (Cell::good("runs"), ""),
    }
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => pending().await,
    }
}
