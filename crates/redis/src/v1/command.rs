//! Commands of redis-rs as the client has them: their arguments are borrowed.

use truename::Command;
use truename::command::{Arg as Argument, Arguments};

use super::version::redis::{Arg, Cmd};

/// The command. One without arguments has no name, which the client refuses.
pub(super) fn command(cmd: &Cmd) -> Command<'_> {
    let mut cursor = None;
    let mut arguments = cmd.args_iter().enumerate().map(|(index, argument)| match argument {
        Arg::Simple(bytes) => Argument::borrowed(bytes),
        _ => Argument::copied(cursor.get_or_insert_with(|| cursor_text(cmd, index)).as_slice()),
    });
    let Some(name) = arguments.next() else { return Command::new("") };
    Command::new(name).args(arguments)
}

/// The arguments of a command where they are, without cursors.
pub(super) struct Words<'c>(pub(super) &'c Cmd);

impl Arguments for Words<'_> {
    fn len(&self) -> usize {
        self.0.args_iter().count()
    }

    #[inline]
    fn at(&self, index: usize) -> Option<&[u8]> {
        match self.0.args_iter().nth(index)? {
            Arg::Simple(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A cursor as it is sent. redis-rs tells it in the encoded command alone.
#[cold]
fn cursor_text(cmd: &Cmd, index: usize) -> Vec<u8> {
    let encoded = Command::encoded(cmd.get_packed_command());
    encoded.ok().and_then(|command| command.at(index).map(<[u8]>::to_vec)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::version::redis::cmd;
    use super::*;

    #[test]
    fn arguments_and_cursors_are_what_is_sent() {
        let mut scan = cmd("SSCAN");
        scan.arg("key").cursor_arg(1234567890123).arg("COUNT").arg(10);
        let said: Vec<_> = (0..5).filter_map(|at| command(&scan).at(at).map(<[u8]>::to_vec)).collect();
        assert_eq!(said, [&b"SSCAN"[..], b"key", b"1234567890123", b"COUNT", b"10"]);
        assert_eq!(command(&Cmd::new()).name(), "");
        let words = Words(&scan);
        assert_eq!(
            (words.len(), words.at(0), words.at(2), words.at(3)),
            (5, Some(&b"SSCAN"[..]), None, Some(&b"COUNT"[..]))
        );
        assert!(words.at(5).is_none() && Words(&Cmd::new()).is_empty());
    }
}
