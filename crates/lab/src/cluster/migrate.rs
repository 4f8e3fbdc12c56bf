//! Moving a slot from one primary to another, as `redis-cli --cluster reshard` does: in halves, so that a test can
//! look at a cluster in the middle of it (ASK, TRYAGAIN).

use crate::{Lab, LabError, LabNode};

use super::wait::everywhere;

/// How many keys one MIGRATE takes along.
const BATCH: usize = 100;
const MIGRATE_TIMEOUT_MS: &str = "5000";

impl Lab {
    /// Moves a slot with its keys and waits until every running node knows the new owner.
    ///
    /// # Errors
    /// When `from` does not serve the slot, `to` is not a primary, or a node does not answer.
    pub async fn migrate_slot(&self, slot: u16, from: usize, to: usize) -> Result<(), LabError> {
        self.begin_migration(slot, from, to).await?;
        self.finish_migration(slot, from, to).await
    }

    /// The first half: from now on `from` answers ASK for keys of the slot that it does not have.
    ///
    /// # Errors
    /// When `from` does not serve the slot, `to` is not a primary, or a node does not answer.
    pub async fn begin_migration(&self, slot: u16, from: usize, to: usize) -> Result<(), LabError> {
        let (from, to, slot) = (self.existing(from)?, self.existing(to)?, slot.to_string());
        to.expect(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id]).await?;
        from.expect(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id]).await?;
        Ok(())
    }

    /// Between the halves: moves up to `most` keys of the slot and returns how many it moved. With some keys here and
    /// some there, commands on several of them are answered TRYAGAIN.
    ///
    /// # Errors
    /// When a node does not answer or refuses.
    pub async fn migrate_keys(
        &self,
        slot: u16,
        from: usize,
        to: usize,
        most: usize,
    ) -> Result<usize, LabError> {
        let (from, to) = (self.existing(from)?, self.existing(to)?);
        let mut moved = 0;
        while moved < most {
            let keys = keys_in(from, slot, (most - moved).min(BATCH)).await?;
            if keys.is_empty() {
                break;
            }
            self.send_keys(from, to, &keys).await?;
            moved += keys.len();
        }
        Ok(moved)
    }

    /// The second half: moves the keys that are left, makes `to` the owner, and waits until every running node knows.
    ///
    /// # Errors
    /// When a node does not answer or refuses.
    pub async fn finish_migration(&self, slot: u16, from: usize, to: usize) -> Result<(), LabError> {
        self.migrate_keys(slot, from, to, usize::MAX).await?;
        let (source, target) = (self.existing(from)?, self.existing(to)?);
        let text = slot.to_string();
        // The new owner first: it must not be without a claim while the old one has already let go.
        for node in [target, source] {
            node.expect(&["CLUSTER", "SETSLOT", &text, "NODE", &target.id]).await?;
        }
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).collect();
        let wanted = format!("slot {slot} at node {to}");
        self.agree(&wanted, &running, |views| {
            everywhere(views, &wanted, |view| view.owner(slot).is_some_and(|owner| owner.id == target.id))
        })
        .await
    }

    /// REPLACE: a key of that name at the target can only be a leftover of an interrupted migration.
    async fn send_keys(&self, from: &LabNode, to: &LabNode, keys: &[String]) -> Result<(), LabError> {
        let (host, port) = (to.address.to_string(), to.port.to_string());
        let mut args = vec!["MIGRATE", &host, &port, "", "0", MIGRATE_TIMEOUT_MS, "REPLACE"];
        if let Some(password) = &self.password {
            args.extend(["AUTH", password]);
        }
        args.push("KEYS");
        args.extend(keys.iter().map(String::as_str));
        from.expect(&args).await.map(drop)
    }
}

/// The names of up to `most` keys of a slot. Labs hold keys that tests made up, so they are text.
async fn keys_in(node: &LabNode, slot: u16, most: usize) -> Result<Vec<String>, LabError> {
    let reply = node.expect(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]).await?;
    let keys = reply.as_array().unwrap_or_default();
    keys.iter()
        .map(|key| key.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| LabError::invalid(format!("slot {slot} holds a key that is not UTF-8 text")))
}
