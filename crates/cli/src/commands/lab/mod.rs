//! `truename lab`: real clusters on this machine.
//!
//! - [`up`](up::up) starts one, prints how to connect, and runs it until something ends it
//! - [`recipe`]: how to connect, for this client and for others
//! - [`console`]: what can be typed while it runs

mod console;
mod recipe;
mod up;

use std::io;

use serde_json::{Value, json};
use truename_lab::LabProfile;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::table::Table;
use crate::render::{Output, Page, Report};
pub(crate) use up::up;

/// The list of profiles.
struct Profiles;

/// Lists what the lab can imitate.
pub(crate) fn profiles(output: &mut Output) -> Result<Exit, Failure> {
    output.show(&Profiles)?;
    Ok(Exit::Ok)
}

impl Report for Profiles {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        let mut table = Table::new(["profile", "what a client meets"]);
        for profile in LabProfile::ALL {
            table.row([profile.name().into(), profile.describe().into()]);
        }
        page.table(&table)
    }

    fn json(&self) -> Value {
        let rows = LabProfile::ALL
            .map(|profile| json!({ "name": profile.name(), "description": profile.describe() }));
        json!({ "profiles": rows })
    }
}
