//! Whether a program verifies whom it talks to. One that is told to trust an authority that issued none of the servers'
//! certificates must say that it cannot connect; the same program connects when it is told the right one.

use std::collections::HashMap;
use std::time::Duration;

use super::cell::{Cell, Reads};
use super::child::{self, Job};
use super::roster::Contestant;
use crate::cell::Site;
use crate::failure::Failure;
use crate::target::{Servers, Target};

/// How long a program may take to start, to try, and to say so.
const LIMIT: Duration = Duration::from_secs(30);

/// Those who did not pass, and why.
pub(super) fn distrusted<'a>(
    programs: impl Iterator<Item = (Contestant, &'a [String])>,
    target: &Target,
) -> Result<HashMap<Contestant, Failure>, Failure> {
    let strangers = Servers::start(Site { shards: 1, tls: true })?;
    let ca = strangers.lab.ca_pem_path();
    let seed = target.seed()?;
    let cell = Cell { reads: Reads::Get64, tls: true, callers: 1 };
    let mut distrusted = HashMap::new();
    for (contestant, program) in programs {
        eprintln!("clients: tls with an authority of strangers: {contestant}");
        let (warm_up, window) = (Duration::ZERO, Duration::from_millis(100));
        let job = Job { contestant, cell, seed, ca, warm_up, window };
        if let Err(failure) = child::refuses(program, job, LIMIT) {
            let text = format!("not shown to verify certificates: with an authority of strangers {failure}");
            distrusted.insert(contestant, Failure::new(text));
        }
    }
    Ok(distrusted)
}
