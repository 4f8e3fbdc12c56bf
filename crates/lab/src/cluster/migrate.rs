//! Moving a slot from one primary to another, as `redis-cli --cluster reshard` does: in halves, so that a test can
//! look at a cluster in the middle of it (ASK, TRYAGAIN).

use truename_resp::Reply;

use crate::admin::borrowed;
use crate::view::Peer;
use crate::{Lab, LabError, LabNode};

use super::wait::everywhere;

/// How many keys one MIGRATE moves.
const BATCH: usize = 100;
/// How many slots are between their owners at a time when many move.
const SLOTS_AT_A_TIME: usize = 256;
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
            let command = self.migrate_command(to, &keys);
            from.expect(&borrowed(&command)).await?;
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

    /// Moves many slots with their keys, some at a time, and waits until every running node knows the new owner of all.
    ///
    /// # Errors
    /// When `from` does not serve all of them, `to` is not a primary, or a node does not answer or refuses.
    pub async fn migrate_slots(&self, slots: &[u16], from: usize, to: usize) -> Result<(), LabError> {
        let (source, target) = (self.existing(from)?, self.existing(to)?);
        let mut source_admin = source.admin().connect(source.socket_addr()).await?;
        let mut target_admin = target.admin().connect(target.socket_addr()).await?;
        for slots in slots.chunks(SLOTS_AT_A_TIME) {
            target_admin.expect_all(&set_slots(slots, "IMPORTING", &source.id)).await?;
            source_admin.expect_all(&set_slots(slots, "MIGRATING", &target.id)).await?;
            let mut left = slots.to_vec();
            while !left.is_empty() {
                let names: Vec<_> = left.iter().map(|slot| key_names(*slot, BATCH)).collect();
                let replies = source_admin.expect_all(&names).await?;
                let keys = left.iter().zip(&replies).map(|(slot, reply)| Ok((*slot, texts(*slot, reply)?)));
                let mut keys = keys.collect::<Result<Vec<_>, LabError>>()?;
                keys.retain(|(_, keys)| !keys.is_empty());
                left = keys.iter().map(|(slot, _)| *slot).collect();
                // One command per slot: keys of several are refused.
                let commands: Vec<_> =
                    keys.iter().map(|(_, keys)| self.migrate_command(target, keys)).collect();
                source_admin.expect_all(&commands).await?;
            }
            for admin in [&mut target_admin, &mut source_admin] {
                admin.expect_all(&set_slots(slots, "NODE", &target.id)).await?;
            }
        }
        let running: Vec<_> = self.nodes.iter().filter(|node| node.is_responsive()).collect();
        let wanted = format!("{} slots at node {to}", slots.len());
        let moved = |owner: &Peer| owner.id == target.id;
        self.agree(&wanted, &running, |views| {
            everywhere(views, &wanted, |view| slots.iter().all(|slot| view.owner(*slot).is_some_and(moved)))
        })
        .await
    }

    /// REPLACE: a key of that name at the target can only be a leftover of an interrupted migration.
    fn migrate_command(&self, to: &LabNode, keys: &[String]) -> Vec<String> {
        let (host, port) = (to.address.to_string(), to.port.to_string());
        let mut args = vec!["MIGRATE", &host, &port, "", "0", MIGRATE_TIMEOUT_MS, "REPLACE"];
        if let Some(password) = &self.password {
            args.extend(["AUTH", password]);
        }
        args.push("KEYS");
        args.into_iter().chain(keys.iter().map(String::as_str)).map(str::to_owned).collect()
    }
}

fn set_slots(slots: &[u16], state: &str, node: &str) -> Vec<Vec<String>> {
    let command =
        |slot: &u16| ["CLUSTER", "SETSLOT", &slot.to_string(), state, node].map(str::to_owned).to_vec();
    slots.iter().map(command).collect()
}

fn key_names(slot: u16, most: usize) -> Vec<String> {
    ["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()].map(str::to_owned).to_vec()
}

/// The names of up to `most` keys of a slot. Labs hold keys that tests made up, so they are text.
async fn keys_in(node: &LabNode, slot: u16, most: usize) -> Result<Vec<String>, LabError> {
    let reply = node.expect(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]).await?;
    texts(slot, &reply)
}

fn texts(slot: u16, reply: &Reply) -> Result<Vec<String>, LabError> {
    let keys = reply.as_array().unwrap_or_default();
    keys.iter()
        .map(|key| key.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| LabError::invalid(format!("slot {slot} holds a key that is not UTF-8 text")))
}
