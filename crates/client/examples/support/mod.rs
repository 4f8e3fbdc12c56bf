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
        eprintln!("TRUENAME_URL is not set: it says which cluster to use.");
        eprintln!(
            "To get one, run `truename lab up` (or `make lab` in this repository) in another terminal and paste the"
        );
        eprintln!("`export` lines that it prints here.");
        std::process::exit(2);
    };
    let mut config = Config::from_url(&url)?;
    if let Ok(password) = std::env::var("TRUENAME_PASSWORD") {
        config = config.password(password);
    }
    let names = std::env::var("TRUENAME_RESOLVE").unwrap_or_default();
    for pair in names.split(',').filter(|pair| !pair.is_empty()) {
        let Some((host, Ok(address))) = pair.split_once(':').map(|(host, text)| (host, text.parse())) else {
            eprintln!("TRUENAME_RESOLVE: {pair:?} is not HOST:ADDR, such as cache.example.net:127.0.0.1");
            std::process::exit(2);
        };
        config = config.resolve(host, None, address);
    }
    Ok(config)
}
