//! [`Walk`]: whether cursors go in a circle, which no server's should. Without that, it would be asked for ever.
//!
//! What must stay true: no cursor that leads on is taken for a circle, and a circle is found after about three times as many steps
//! as it and the way to it have, with two cursors in memory (Brent).

use crate::error::TypeError;

/// The cursors of a scan of one table, step by step: whether they lead on. [`Client::scan`](crate::Client::scan) and its like
/// look at that by themselves; this is for whoever follows the cursors of a node.
///
/// # Examples
/// ```
/// use truename::scan::Walk;
///
/// let mut walk = Walk::new(0);
/// assert!([5, 3, 9].into_iter().all(|cursor| walk.step(cursor).is_ok()));
/// // From 9 it went back to 5, and would do so for ever.
/// let mut circle = [5, 3, 9].into_iter().cycle();
/// let error = circle.find_map(|cursor| walk.step(cursor).err()).expect("found");
/// assert!(error.to_string().contains("met before"));
/// ```
///
/// ```no_run
/// # async fn example(client: truename::Client) -> Result<(), truename::Error> {
/// use truename::cmd;
/// use truename::scan::Walk;
///
/// // The keys of one node.
/// let node = client.nodes()[0].node.clone();
/// let (mut cursor, mut walk) = (0, Walk::new(0));
/// loop {
///     let (next, keys): (u64, Vec<String>) =
///         client.execute(cmd("SCAN").arg(cursor).route_to(&node)).await?;
///     println!("{keys:?}");
///     if next == 0 {
///         break;
///     }
///     walk.step(next)?;
///     cursor = next;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// A cursor that was met before, and how many steps ago.
    mark: u64,
    steps: u64,
    /// After so many steps another one is remembered.
    turn: u64,
}

impl Walk {
    /// A walk that begins with a cursor. See the [example](Walk#examples).
    pub fn new(cursor: u64) -> Self {
        Self { mark: cursor, steps: 0, turn: 1 }
    }

    /// Notes the next cursor. See the [example](Walk#examples).
    ///
    /// A circle is found after about three times as many steps as it and the way to it have.
    ///
    /// # Errors
    /// [`TypeError`] for a cursor that was met before.
    pub fn step(&mut self, cursor: u64) -> Result<(), TypeError> {
        if cursor == self.mark {
            return Err(TypeError::new("a cursor that leads on", "one that was met before"));
        }
        self.steps += 1;
        if self.steps == self.turn {
            (self.mark, self.steps, self.turn) = (cursor, 0, self.turn.saturating_mul(2));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_circle_is_found_soon_and_nothing_else_is_one() {
        for (way, circle) in [(0, 1), (0, 2), (1, 1), (3, 5), (100, 7), (7, 1000), (1000, 1000)] {
            let mut walk = Walk::new(1);
            let steps = (1..).map(|step: u64| {
                let place = if step < way { step } else { way + (step - way) % circle };
                walk.step(place + 1)
            });
            let found = steps.take_while(Result::is_ok).count() as u64;
            assert!(found + 1 >= circle && found <= 3 * (way + circle) + 1, "{way} {circle}: {found}");
        }
        let mut walk = Walk::new(0);
        assert!((1..100_000).all(|cursor| walk.step(cursor).is_ok()));
    }
}
