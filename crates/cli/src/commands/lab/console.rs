//! What can be typed while a lab runs, and where it is read from.

use std::fmt;
use std::io::{self, BufRead, IsTerminal};
use std::str::FromStr;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The commands, for `help`.
pub(super) const HELP: &str = "\
redeploy     move every node to a new address and port, with the data
kill N       end node N at once, as in a crash
restart N    start node N again, empty
stop N       freeze node N: it keeps its connections and answers nothing
cont N       let node N continue
failover N   make replica N the primary of its shard
status       show the nodes
quit         end the lab";

/// One line that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Redeploy,
    Kill(usize),
    Restart(usize),
    Stop(usize),
    Cont(usize),
    Failover(usize),
    Status,
    Help,
    Quit,
}

impl Order {
    /// The node that it is about.
    pub(super) fn node(self) -> Option<usize> {
        match self {
            Self::Kill(node)
            | Self::Restart(node)
            | Self::Stop(node)
            | Self::Cont(node)
            | Self::Failover(node) => Some(node),
            Self::Redeploy | Self::Status | Self::Help | Self::Quit => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Redeploy => "redeploy",
            Self::Kill(_) => "kill",
            Self::Restart(_) => "restart",
            Self::Stop(_) => "stop",
            Self::Cont(_) => "cont",
            Self::Failover(_) => "failover",
            Self::Status => "status",
            Self::Help => "help",
            Self::Quit => "quit",
        }
    }
}

/// As it is typed.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.node().map_or(Ok(()), |node| write!(f, " {node}"))
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let number = words.next();
        if words.next().is_some() {
            return Err(format!("`{line}` has too many words; type help"));
        }
        let node = || {
            let number = number
                .ok_or_else(|| format!("say which node, such as `{name} 0`; type status for the numbers"))?;
            number
                .parse()
                .map_err(|_| format!("`{number}` is not the number of a node; type status for the numbers"))
        };
        let alone = |order| match number {
            None => Ok(order),
            Some(extra) => Err(format!("`{name}` takes no argument: remove `{extra}`")),
        };
        match name {
            "redeploy" => alone(Self::Redeploy),
            "kill" => node().map(Self::Kill),
            "restart" => node().map(Self::Restart),
            "stop" => node().map(Self::Stop),
            "cont" => node().map(Self::Cont),
            "failover" => node().map(Self::Failover),
            "status" => alone(Self::Status),
            "help" | "?" => alone(Self::Help),
            "quit" | "exit" => alone(Self::Quit),
            other => Err(format!("`{other}` is not a command; type help")),
        }
    }
}

/// The lines of standard input; the channel ends where they do.
///
/// A thread of its own reads them, because a read cannot be cancelled: the process ends without waiting for it.
/// In the background of a terminal nothing is read, since that would stop the whole process (SIGTTIN).
pub(super) fn lines() -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        if is_in_background() {
            // Not the end of input: keep the channel open without ever saying anything.
            return std::mem::forget(sender);
        }
        // The receiver is gone when the lab ends.
        let mut lines = io::stdin().lock().lines().map_while(Result::ok);
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    receiver
}

fn is_in_background() -> bool {
    let stdin = io::stdin();
    stdin.is_terminal()
        && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|foreground| foreground != rustix::process::getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        for (line, order) in [
            ("redeploy", Order::Redeploy),
            ("  kill 2 ", Order::Kill(2)),
            ("restart 2", Order::Restart(2)),
            ("stop 0", Order::Stop(0)),
            ("cont 0", Order::Cont(0)),
            ("failover 4", Order::Failover(4)),
            ("status", Order::Status),
            ("?", Order::Help),
            ("exit", Order::Quit),
        ] {
            assert_eq!(line.parse(), Ok(order), "{line}");
            assert_eq!(order.to_string().parse(), Ok(order), "{order}");
        }
    }

    #[test]
    fn wrong_orders_say_what_is_wrong() {
        for (line, why) in [
            ("kill", "which node"),
            ("kill one", "`one` is not the number"),
            ("kill 1 2", "too many words"),
            ("quit now", "takes no argument"),
            ("reboot", "`reboot` is not a command"),
        ] {
            let error = line.parse::<Order>().unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
