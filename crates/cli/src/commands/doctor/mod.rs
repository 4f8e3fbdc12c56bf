//! `truename doctor`: probes every seed and node, and says what is wrong and what would fix it.
//!
//! - [`Diagnosis`] (`diagnosis`) is what was found out, with everything that the text and the JSON form need
//! - [`check`]: the cells of a row, as pure functions of a [`truename::probe::NodeReport`]
//! - [`text`], [`document`]: the two forms
//!
//! The probing is the library's; nothing on a server is changed.

mod check;
mod diagnosis;
mod document;
mod text;

use std::io;

use serde_json::Value;
use truename::probe::examine;

use self::diagnosis::Diagnosis;
use crate::context::Target;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Output, Page, Report, json};

/// Probes every node and prints the diagnosis.
pub(crate) async fn run(target: &Target, output: &mut Output) -> Result<Exit, Failure> {
    let diagnosis = Diagnosis {
        report: examine(&target.config).await?,
        profile: target.config.effective_profile(),
        login: target.login().map(str::to_owned),
        tls: target.has_tls(),
        now: json::now(),
    };
    output.show(&diagnosis)?;
    Ok(diagnosis.exit())
}

impl Report for Diagnosis {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        text::write(self, page)
    }

    fn json(&self) -> Value {
        document::of(self)
    }
}
