//! Every lab profile as users of managed services have it: the authority is among the *system's* roots, no CA is given,
//! and so what a cluster announces counts only within the scope of its seed.

use crate::support::{VARIABLE, finished, options, truename, words};
use truename_lab::{Lab, LabProfile};

/// The seed and the options for a lab, but for its authority, which is in the system's store.
async fn with_system_roots(lab: &Lab, command: &str, more: &[&str]) -> crate::support::Run {
    let ca = lab.ca_pem_path().unwrap().display().to_string();
    let line = options(lab).replace(&format!(" --cacert {ca}"), "");
    let mut args = words(&[command, &line]);
    args.extend(more.iter().map(|word| (*word).to_owned()));
    let mut command = truename(&args);
    command.env("SSL_CERT_FILE", &ca).env(VARIABLE, lab.password().unwrap());
    finished(args.join(" "), command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_profile_that_promises_it_needs_no_configuration() {
    // Behind NAT the one rule, which is part of the options, says where to dial, not which names to trust.
    let rows = [
        (LabProfile::Azure, "(seed)"),
        (LabProfile::Aws, "(announced address)"),
        (LabProfile::Gcp, "(seed)"),
        (LabProfile::Nat, "(seed)"),
        (LabProfile::UnknownEndpoint, "(announced address)"),
        (LabProfile::PerNodeCerts, "(announced address)"),
    ];
    for (profile, proof) in rows {
        let lab = Lab::builder(profile).replicas(0).start().await.unwrap();
        let run = with_system_roots(&lab, "ping", &[]).await.ends_with(0);
        assert_eq!(run.stdout.matches("PONG").count(), 3, "{profile}: {}", run.stdout);
        assert_eq!(run.stdout.matches(proof).count(), 3, "{profile}: {}", run.stdout);
        for key in ["a", "b", "c", "d"] {
            let set = ["--", "SET", key, "value"];
            with_system_roots(&lab, "exec", &set).await.ends_with(0).says(&["OK"]);
        }
        with_system_roots(&lab, "doctor", &[]).await.ends_with(0);
        lab.shutdown().await;
    }
}

/// Redis Enterprise reports no node id where a detour would need one; its profile decides where to dial instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_redis_enterprise_suffice() {
    let lab = Lab::builder(LabProfile::Azure).enterprise_commands(true).start().await.unwrap();
    for more in [&[][..], &["--profile", "azure-managed"]] {
        let run = with_system_roots(&lab, "ping", more).await.ends_with(0);
        assert_eq!(run.stdout.matches("PONG").count(), 3, "{}", run.stdout);
        with_system_roots(&lab, "doctor", more).await.ends_with(0);
    }
    lab.shutdown().await;
}
