//! One attempt on a lane.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;
use truename_resp::Reply;

use crate::command::Command;
use crate::lane::{Failure, Lane, request_limits};

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// One attempt. Apart from its caller, which is compiled anew for every type of reply.
pub(super) fn submit<'a>(
    lane: &'a Lane,
    command: &'a Command<'_>,
    asking: bool,
    (now, deadline, patience): (Instant, Instant, Duration),
) -> impl Future<Output = Result<Reply, Failure>> {
    lane.submit(request_limits(now, deadline, patience, u8::from(asking)), move |out: &mut BytesMut| {
        if asking {
            out.extend_from_slice(ASKING);
        }
        command.encode(out);
    })
}
