//! Request and reply on a connection that nothing else uses yet: the handshake, and questions about the topology.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use truename_resp::{DecodeError, Decoder, Frame, Limits, Reply, encode};

use super::budget;

/// A stream with its decoder, whose limits are those of a greeting unless something longer was asked for.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    decoder: Decoder,
    inbound: BytesMut,
}

/// Why a round trip failed.
#[derive(Debug)]
pub(crate) enum WireError {
    Io(io::Error),
    Closed,
    Decode(DecodeError),
    /// An unsolicited reply.
    Surplus,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, decoder: Decoder::new(budget::greeting()), inbound: BytesMut::new() }
    }

    /// Sends one command and reads its reply.
    pub(crate) async fn round_trip(&mut self, command: &[&[u8]]) -> Result<Reply, WireError> {
        self.ask(&[command]).await
    }

    /// Sends some commands in one write and reads the first reply. A server that does not want the connection says
    /// so in it and may say nothing more.
    pub(crate) async fn ask(&mut self, commands: &[&[&[u8]]]) -> Result<Reply, WireError> {
        if self.holds_more()? {
            return Err(WireError::Surplus);
        }
        let mut out = BytesMut::new();
        for command in commands {
            encode::put_command(&mut out, command.iter().copied());
        }
        if let Err(error) = self.send(&out).await {
            // What the peer said before it closed is more informative than the broken pipe: a TLS alert, or that it is full.
            return match self.reply().await {
                Ok(said) => Ok(said),
                Err(WireError::Io(said)) => Err(WireError::Io(said)),
                Err(_) => Err(WireError::Io(error)),
            };
        }
        self.reply().await
    }

    /// [`round_trip`](Self::round_trip) within limits other than those of a greeting.
    pub(crate) async fn round_trip_within(
        &mut self,
        limits: Limits,
        command: &[&[u8]],
    ) -> Result<Reply, WireError> {
        self.decoder.set_limits(limits);
        let reply = self.round_trip(command).await?;
        self.decoder.set_limits(budget::greeting());
        Ok(reply)
    }

    /// What replies may cost from now on.
    pub(crate) fn limit_replies(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Whether a reply that was not asked for, or the beginning of one, is there. Pushes come at any time.
    pub(crate) fn holds_more(&mut self) -> Result<bool, WireError> {
        loop {
            match self.decoder.decode(&mut self.inbound).map_err(WireError::Decode)? {
                Some(Frame::Reply(_)) => return Ok(true),
                Some(Frame::Push(_)) => {}
                None => return Ok(self.decoder.is_inside_reply(&self.inbound)),
            }
        }
    }

    /// Reads one more reply.
    pub(crate) async fn reply(&mut self) -> Result<Reply, WireError> {
        loop {
            match self.decoder.decode(&mut self.inbound).map_err(WireError::Decode)? {
                Some(Frame::Reply(reply)) => return Ok(reply.without_attributes()),
                Some(Frame::Push(_)) => {}
                None => {
                    self.inbound.reserve(4 * 1024);
                    if self.stream.read_buf(&mut self.inbound).await.map_err(WireError::Io)? == 0 {
                        return Err(WireError::Closed);
                    }
                }
            }
        }
    }

    /// The stream, its decoder, which no longer has the limits of a greeting, and what was read and not decoded.
    pub(crate) fn into_parts(mut self) -> (S, Decoder, BytesMut) {
        self.decoder.set_limits(Limits::default());
        (self.stream, self.decoder, self.inbound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_asked_on_a_connection_that_holds_an_answer_already() {
        for (extra, is_left) in
            [("", false), (">1\r\n+push\r\n", false), ("+late\r\n", true), ("$5\r\nla", true)]
        {
            let (client, mut server) = tokio::io::duplex(1024);
            let mut wire = Wire::new(client);
            server.write_all(format!("+first\r\n{extra}").as_bytes()).await.expect("room");
            let first = wire.round_trip(&[b"PING"]).await.expect("a reply");
            assert_eq!(first, Reply::Simple("first".into()));
            server.write_all(b"+second\r\n").await.expect("room");
            match wire.round_trip(&[b"PING"]).await {
                Ok(second) => assert!(!is_left && second == Reply::Simple("second".into()), "{extra:?}"),
                Err(error) => assert!(is_left && matches!(error, WireError::Surplus), "{extra:?}: {error:?}"),
            }
        }
    }
}
