//! Reads the environment that `truename lab up` prints, so that every example runs against a lab as it is.
//!
//! | variable | meaning |
//! |---|---|
//! | `TRUENAME_URL` | seeds and options, such as `rediss://cache.example.net:10000?cacert=ca.pem`; required |
//! | `TRUENAME_PASSWORD` | the password of the default user |
//! | `TRUENAME_RESOLVE` | `HOST:ADDR` pairs separated by commas, where DNS does not know the names |

use truename::{Config, Error};

/// A configuration from the environment.
pub(crate) fn config() -> Result<Config, Error> {
    let Ok(url) = std::env::var("TRUENAME_URL") else {
        eprintln!("set TRUENAME_URL; `truename lab up` prints all that is needed");
        std::process::exit(2);
    };
    let mut config = Config::from_url(&url)?;
    if let Ok(password) = std::env::var("TRUENAME_PASSWORD") {
        config = config.password(password);
    }
    for pair in std::env::var("TRUENAME_RESOLVE").unwrap_or_default().split(',') {
        if let Some((host, Ok(address))) = pair.split_once(':').map(|(host, text)| (host, text.parse())) {
            config = config.resolve(host, None, address);
        }
    }
    Ok(config)
}
