//! One attempt on a lane.

use bytes::BytesMut;

use crate::command::Command;
use crate::lane::{Lane, RequestLimits, Submission};

/// The one-shot pass for a slot that is being imported.
pub(super) const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// One attempt. Apart from its caller, which is compiled anew for every type of reply.
pub(super) fn submit<'a>(
    lane: &'a Lane,
    command: &'a Command<'_>,
    asking: bool,
    mut limits: RequestLimits,
) -> Submission<'a, impl Fn(&mut BytesMut)> {
    if asking {
        limits.unit = limits.unit.after(1);
    }
    lane.submit(limits, move |out: &mut BytesMut| {
        if asking {
            out.extend_from_slice(ASKING);
        }
        command.encode(out);
    })
}
