//! One direction of one connection: reads, waits as the fault says, and writes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::orders::Order;
use super::replies::ReplyTracker;
use super::rewrite::Rewriter;
use super::shared::Shared;
use super::{Cut, CutPoint, Direction, Ending, Fault};

/// The most that is read at a time.
const PORTION: usize = 64 * 1024;
/// The longest pause of a throttled direction that writes more than a byte at a time.
const THROTTLE_TICK: Duration = Duration::from_millis(10);

/// How a direction ended.
#[derive(Debug)]
pub(super) enum Flow {
    /// Its sender is done, or its receiver is gone. The other direction may go on.
    Ended,
    /// The whole connection ends.
    Cut(Ending),
}

pub(super) struct Pump<'a> {
    pub(super) direction: Direction,
    pub(super) shared: Arc<Shared>,
    pub(super) reader: ReadHalf<'a>,
    pub(super) writer: WriteHalf<'a>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) fault: watch::Receiver<Fault>,
    pub(super) cut: Option<Cut>,
    pub(super) rewriter: Option<Rewriter>,
    /// Present where replies can be told apart.
    pub(super) tracker: Option<ReplyTracker>,
}

impl Pump<'_> {
    pub(super) async fn run(mut self) -> Flow {
        match self.forward().await {
            Ok(flow) => flow,
            // The receiver is gone; the other direction reads the same from it.
            Err(error) => {
                tracing::trace!(%error, direction = ?self.direction, "cannot forward");
                Flow::Ended
            }
        }
    }

    async fn forward(&mut self) -> io::Result<Flow> {
        let mut portion = BytesMut::with_capacity(PORTION);
        loop {
            self.until_flowing(0).await;
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => match order {
                    Order::Cut(cut) => self.cut = Some(cut),
                    Order::Inject(bytes) => self.write(&bytes).await?,
                    Order::Hold(time) => sleep(time).await,
                    Order::HalfClose => break,
                },
                _ = self.fault.changed() => {}
                read = self.reader.read_buf(&mut portion) => {
                    let count = match read {
                        Ok(0) => break,
                        Ok(count) => count,
                        // What one side resets is reset on the other.
                        Err(_) => return Ok(Flow::Cut(Ending::Reset)),
                    };
                    self.shared.counters.read(self.direction, count);
                    let bytes = portion.split();
                    portion.reserve(PORTION);
                    if let Some(ending) = self.pass(bytes).await? {
                        return Ok(self.end(ending).await);
                    }
                }
            }
        }
        self.writer.shutdown().await?;
        Ok(Flow::Ended)
    }

    /// Silence lasts until the sender gives up.
    async fn end(&mut self, ending: Ending) -> Flow {
        if ending == Ending::Silence {
            // A sender that fails has given up as well.
            let _ = tokio::io::copy(&mut self.reader, &mut tokio::io::sink()).await;
            return Flow::Cut(Ending::Close);
        }
        Flow::Cut(ending)
    }

    /// Waits until no fault holds a portion of this many bytes back.
    async fn until_flowing(&mut self, portion: usize) {
        let direction = self.direction;
        // The sender lives in the shared state that this pump holds.
        let _ = self.fault.wait_for(|fault| !fault.holds_back(direction, portion)).await;
    }

    /// Forwards what came, up to the cut if there is one; returns how the connection ends when it is reached.
    async fn pass(&mut self, mut bytes: BytesMut) -> io::Result<Option<Ending>> {
        if let Some(rewriter) = &mut self.rewriter {
            bytes = rewriter.rewrite(&bytes);
        }
        let ends = self.tracker.as_mut().map(|tracker| tracker.ends(&bytes)).unwrap_or_default();
        self.until_flowing(bytes.len()).await;
        let cut = self.cut.as_mut().and_then(|cut| advance(cut, bytes.len(), &ends));
        match cut {
            None => self.write(&bytes).await.map(|()| None),
            Some((passing, ending)) => {
                self.write(&bytes[..passing]).await?;
                Ok(Some(ending))
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fault = *self.fault.borrow();
        match fault {
            Fault::Delay { by, jitter } => {
                sleep(by + jitter.mul_f64(fastrand::f64())).await;
                self.write_piece(bytes).await
            }
            Fault::Throttle { bytes_per_second } => {
                let rate = f64::from(bytes_per_second.max(1));
                let most = (rate * THROTTLE_TICK.as_secs_f64()).max(1.0) as usize;
                for piece in bytes.chunks(most) {
                    sleep(Duration::from_secs_f64(piece.len() as f64 / rate)).await;
                    self.write_piece(piece).await?;
                }
                Ok(())
            }
            Fault::Split { most } => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(fastrand::usize(1..=most.max(1)).min(rest.len()));
                    self.write_piece(piece).await?;
                    // Gives the receiver the chance to see this piece alone.
                    tokio::task::yield_now().await;
                    rest = after;
                }
                Ok(())
            }
            _ => self.write_piece(bytes).await,
        }
    }

    async fn write_piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        self.shared.counters.written(self.direction, bytes.len());
        Ok(())
    }
}

/// Moves a cut on by one portion: how much of it still passes, when the cut is reached in it.
fn advance(cut: &mut Cut, portion: usize, reply_ends: &[usize]) -> Option<(usize, Ending)> {
    let ending = cut.ending;
    match &mut cut.point {
        CutPoint::Request(left) | CutPoint::Reply(left) => {
            if *left <= portion as u64 {
                return Some((*left as usize, ending));
            }
            *left -= portion as u64;
        }
        CutPoint::AfterReplies(left) => {
            let passing = match usize::try_from(*left) {
                Ok(0) => Some(0),
                Ok(left) => reply_ends.get(left - 1).copied(),
                Err(_) => None,
            };
            if let Some(passing) = passing.filter(|passing| *passing < portion) {
                return Some((passing, ending));
            }
            *left = left.saturating_sub(reply_ends.len() as u64);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a portion, and where replies end in it.
    type Portion = (usize, &'static [usize]);

    #[test]
    fn cuts_fall_where_they_were_asked_for() {
        let rows: [(CutPoint, &[Portion], Option<usize>); 9] = [
            (CutPoint::Request(0), &[(4, &[])], Some(0)),
            (CutPoint::Request(4), &[(4, &[])], Some(4)),
            (CutPoint::Reply(5), &[(4, &[]), (4, &[])], Some(1)),
            (CutPoint::Reply(9), &[(4, &[]), (4, &[])], None),
            (CutPoint::AfterReplies(0), &[(4, &[4])], Some(0)),
            // The next reply has not begun yet.
            (CutPoint::AfterReplies(1), &[(4, &[4])], None),
            (CutPoint::AfterReplies(1), &[(4, &[4]), (4, &[])], Some(0)),
            (CutPoint::AfterReplies(2), &[(6, &[2, 4])], Some(4)),
            (CutPoint::AfterReplies(3), &[(6, &[2, 4]), (6, &[3])], Some(3)),
        ];
        for (point, portions, expected) in rows {
            let mut cut = Cut::new(point, Ending::Close);
            let found = portions.iter().find_map(|(len, ends)| advance(&mut cut, *len, ends));
            assert_eq!(found.map(|(passing, _)| passing), expected, "{point:?} in {portions:?}");
        }
    }
}
