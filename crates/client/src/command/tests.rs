//! What is known about a command by itself.

use super::*;

#[test]
fn a_write_is_sent_again_only_where_somebody_said_so() {
    use Repeat::{Always, IfServerEnded, Never};
    let set = || cmd("SET").arg("k").arg("v");
    let get = || cmd("GET").arg("k");
    for (command, by_default, with_the_option) in [
        (get(), Always, Always),
        (get().repeatable(false), Never, Never),
        (set(), Never, IfServerEnded),
        (set().repeatable(true), Always, Always),
        (set().repeatable(false), Never, Never),
        (set().arg("NX"), Never, Never),
        (cmd("INCR").arg("k"), Never, Never),
        (cmd("INCR").arg("k").repeatable(true), Always, Always),
        (cmd("EVAL").arg("s").arg(0), Never, Never),
        (cmd("JSON.GET").arg("k"), Never, Never),
        (cmd("JSON.GET").arg("k").repeatable(true), Always, Always),
    ] {
        let spec = command.spec();
        assert_eq!(command.repeat(spec, false), by_default, "{command:?}");
        assert_eq!(command.repeat(spec, true), with_the_option, "{command:?}");
    }
}
