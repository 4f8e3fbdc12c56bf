//! How to connect to a lab: lines to paste, for this client and for others.

use std::io;
use std::net::IpAddr;

use serde_json::{Value, json};
use truename::environment::{PASSWORD, RESOLVE, URL};
use truename_lab::{Lab, LabProfile};

use crate::args::connect::PasswordArgs;
use crate::render::{Page, Report};

/// Everything that is needed to connect to a lab.
pub(super) struct Recipe {
    profile: LabProfile,
    seeds: Vec<(String, u16)>,
    ca: Option<String>,
    client_certificate: Option<(String, String)>,
    password: Password,
    names: Vec<(String, Option<u16>, IpAddr)>,
    rules: Vec<String>,
    nodes: Value,
}

/// Where a tool finds the password.
enum Password {
    /// In a variable that the user still has to set to this.
    Ours(String),
    /// In a variable that the user has set.
    Variable(String),
    /// In a file of the user's.
    File(String),
}

impl Recipe {
    pub(super) fn new(lab: &Lab, given: &PasswordArgs) -> Self {
        let text = |path: &std::path::Path| path.display().to_string();
        let password = match (&given.password_env, &given.password_file) {
            (Some(name), _) => Password::Variable(name.clone()),
            (None, Some(path)) => Password::File(text(path)),
            (None, None) => Password::Ours(lab.password().unwrap_or_default().to_owned()),
        };
        Self {
            profile: lab.profile(),
            seeds: lab.seeds(),
            ca: lab.ca_pem_path().map(text),
            client_certificate: lab.client_certificate().map(|(cert, key)| (text(&cert), text(&key))),
            password,
            names: lab.resolve(),
            rules: lab.map_rules(),
            nodes: nodes(lab),
        }
    }

    fn seed(&self) -> (&str, u16) {
        self.seeds.first().map_or(("", 0), |(host, port)| (host.as_str(), *port))
    }

    /// Shell lines that set what the lines below and the library's examples read.
    fn environment(&self) -> String {
        let password = match &self.password {
            Password::Ours(password) => quoted(password),
            Password::Variable(_) | Password::File(_) => self.secret_in_shell(),
        };
        let names: Vec<String> =
            self.names.iter().map(|(host, _, address)| format!("{host}:{address}")).collect();
        let mut lines =
            vec![format!("export {PASSWORD}={password}"), format!("export {URL}={}", quoted(&self.url()))];
        if !names.is_empty() {
            lines.push(format!("export {RESOLVE}={}", quoted(&names.join(","))));
        }
        lines.join("\n")
    }

    /// The URL form of everything but the password and the names.
    fn url(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let scheme = if self.ca.is_some() { "rediss" } else { "redis" };
        let options: Vec<String> = (self.ca.iter().map(|ca| format!("cacert={ca}")))
            .chain(self.rules.iter().map(|rule| format!("map={rule}")))
            .collect();
        let query = if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) };
        format!("{scheme}://{}{query}", seeds.join(","))
    }

    /// The variable, or for a file a shell expression that reads it.
    fn secret_in_shell(&self) -> String {
        match &self.password {
            Password::Ours(_) => format!("\"${PASSWORD}\""),
            Password::Variable(name) => format!("\"${name}\""),
            Password::File(path) => format!("\"$(head -n 1 {})\"", quoted(path)),
        }
    }

    fn variable(&self) -> &str {
        match &self.password {
            Password::Variable(name) => name,
            Password::Ours(_) | Password::File(_) => PASSWORD,
        }
    }

    /// The options for this tool, without the command.
    fn truename(&self) -> String {
        let (host, port) = self.seed();
        let mut line = format!("{host}:{port}");
        line.push_str(&match &self.ca {
            Some(ca) => format!(" --cacert {}", quoted(ca)),
            None => " --plain".to_owned(),
        });
        line.push_str(&match &self.password {
            Password::File(path) => format!(" --password-file {}", quoted(path)),
            _ => format!(" --password-env {}", self.variable()),
        });
        for (host, port, address) in &self.names {
            line.push_str(&match port {
                Some(port) => format!(" --resolve {host}:{port}:{address}"),
                None => format!(" --resolve {host}:{address}"),
            });
        }
        for rule in &self.rules {
            line.push_str(&format!(" --map {}", quoted(rule)));
        }
        line
    }

    fn rust(&self) -> String {
        let mut code = String::from("let config = truename::Config::new()");
        for (host, port) in &self.seeds {
            code.push_str(&format!("\n    .seed({host:?}, {port})"));
        }
        match &self.ca {
            Some(ca) => code.push_str(&format!("\n    .tls(truename::Tls::new().ca_file({ca:?})?)")),
            None => code.push_str("\n    .plaintext()"),
        }
        code.push_str(&format!("\n    .password(std::env::var({:?})?)", self.variable()));
        for (host, port, address) in &self.names {
            code.push_str(&format!("\n    .resolve({host:?}, {port:?}, {:?}.parse()?)", address.to_string()));
        }
        for rule in &self.rules {
            code.push_str(&format!("\n    .dial_rule({rule:?})"));
        }
        code.push_str(";\nlet client = truename::Client::connect(&config).await?;");
        code
    }

    /// For node-redis 5 and 6. Its `rootNodes` pass nothing on to the nodes, so everything is in `defaults`.
    fn node_redis(&self) -> String {
        let (host, port) = self.seed();
        let scheme = if self.ca.is_some() { "rediss" } else { "redis" };
        let names: Vec<String> = self
            .names
            .iter()
            .map(|(host, _, address)| format!("{host:?}: {:?}", address.to_string()))
            .collect();
        let mut lines = vec![format!("const HOST = {host:?};")];
        if !names.is_empty() {
            lines.push(format!("const NAMES = {{ {} }};", names.join(", ")));
        }
        lines.push("const cluster = require('redis').createCluster({".to_owned());
        lines.push(format!("  rootNodes: [{{ url: `{scheme}://${{HOST}}:{port}` }}],"));
        lines.push(format!("  defaults: {{ password: process.env.{}, socket: {{", self.variable()));
        if let Some(ca) = &self.ca {
            lines.push(format!("    tls: true, ca: require('fs').readFileSync({ca:?}),"));
        }
        if self.profile == LabProfile::Gcp {
            let check =
                "    checkServerIdentity: (_, cert) => require('tls').checkServerIdentity(HOST, cert),";
            lines.push(check.to_owned());
        }
        if !names.is_empty() {
            lines.push("    lookup: (name, options, done) => options.all".to_owned());
            lines.push("      ? done(null, [{ address: NAMES[name], family: 4 }])".to_owned());
            lines.push("      : done(null, NAMES[name], 4),".to_owned());
        }
        // Maintenance notifications make node-redis 6.3 ask the system's resolver, past the `lookup` above.
        lines.push(
            if names.is_empty() { "  } }," } else { "  }, maintNotifications: 'disabled' }," }.to_owned(),
        );
        if let Some(port) = self.mapped_port() {
            lines.push("  nodeAddressMap: address => {".to_owned());
            lines.push("    const port = Number(address.slice(address.lastIndexOf(':') + 1));".to_owned());
            lines.push(format!("    return {{ host: HOST, port: {port} }};"));
            lines.push("  },".to_owned());
        }
        lines.push("});".to_owned());
        lines.push("await cluster.connect();".to_owned());
        lines.join("\n")
    }

    /// For profiles whose nodes have to be dialled at the seed's host: at which port.
    fn mapped_port(&self) -> Option<&'static str> {
        match self.profile {
            LabProfile::Azure | LabProfile::UnknownEndpoint => Some("port"),
            LabProfile::Nat => Some("port + 1000"),
            _ => None,
        }
    }

    fn redis_cli(&self) -> String {
        let (host, port) = self.seed();
        let address =
            self.names.iter().find(|(name, ..)| name == host).map(|(_, _, address)| address.to_string());
        let address = address.unwrap_or_else(|| host.to_owned());
        let tls = self.ca.as_ref().map(|ca| format!(" --tls --cacert {} --sni {host}", quoted(ca)));
        format!(
            "REDISCLI_AUTH={} redis-cli -c -h {address} -p {port}{}",
            self.secret_in_shell(),
            tls.unwrap_or_default()
        )
    }
}

impl Report for Recipe {
    fn human(&self, page: &mut Page<'_>) -> io::Result<()> {
        let (host, port) = self.seed();
        let paint = page.paint();
        page.line(format!(
            "{} {host}:{port}  {}",
            paint.good("The lab is up:"),
            paint.dim(self.profile.describe())
        ))?;
        if let Some(ca) = &self.ca {
            page.line(format!("CA bundle: {ca}"))?;
        }
        if let Some((certificate, key)) = &self.client_certificate {
            page.line(format!("Client certificate, if you want one: --cert {certificate} --key {key}"))?;
        }
        page.heading(
            "Environment, for `truename ping`, `cargo run --example quickstart` and the lines below",
        )?;
        page.indented(self.environment())?;
        page.heading("truename")?;
        page.indented(format!("truename doctor {}", self.truename()))?;
        page.heading("Rust")?;
        page.indented(self.rust())?;
        page.heading("node-redis")?;
        page.indented(self.node_redis())?;
        page.heading("redis-cli (checks the certificate's chain, never its name)")?;
        page.indented(self.redis_cli())?;
        page.blank()?;
        page.line(paint.dim("Ctrl-C ends it. Type help for what can be done to it meanwhile."))
    }

    fn json(&self) -> Value {
        let (host, port) = self.seed();
        let password = match &self.password {
            Password::Ours(password) => Some(password),
            Password::Variable(_) | Password::File(_) => None,
        };
        let names = self.names.iter().map(
            |(host, port, address)| json!({ "host": host, "port": port, "address": address.to_string() }),
        );
        json!({
            "profile": self.profile.name(),
            "seed": { "host": host, "port": port },
            "seeds": self.seeds.iter().map(|(host, port)| json!({ "host": host, "port": port })).collect::<Value>(),
            "tls": self.ca.is_some(),
            "cacert": self.ca,
            "cert": self.client_certificate.as_ref().map(|(cert, _)| cert),
            "key": self.client_certificate.as_ref().map(|(_, key)| key),
            "password": password,
            "password_env": self.variable(),
            "resolve": names.collect::<Value>(),
            "map": self.rules,
            "nodes": self.nodes,
            "url": self.url(),
            "truename": format!("truename doctor {}", self.truename()),
            "rust": self.rust(),
            "node_redis": self.node_redis(),
            "redis_cli": self.redis_cli(),
        })
    }
}

fn nodes(lab: &Lab) -> Value {
    let nodes = lab.nodes().iter().map(|node| {
        let (host, port) = node.announced();
        json!({
            "index": node.index,
            "node_id": node.id,
            "announced": { "host": host, "port": port },
            "listens_on": node.socket_addr().to_string(),
            "process": node.pid(),
        })
    });
    nodes.collect()
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        for (text, word) in [
            ("/tmp/ca.pem", "/tmp/ca.pem"),
            ("*=seed:+1000", "'*=seed:+1000'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
