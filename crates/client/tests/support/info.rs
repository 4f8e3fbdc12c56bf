//! What servers count: numbers out of `INFO`.

use truename_lab::Lab;

use super::tell;

/// A number of a node, by the section of `INFO` and the field.
pub(crate) async fn info(lab: &Lab, node: usize, section: &str, field: &str) -> u64 {
    let told = text_of(lab, node, section).await;
    let line = told.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let line = line.unwrap_or_else(|| panic!("no {field} in {told}"));
    line.trim().parse().expect("a number")
}

/// How often a node has executed a command, by its own count. A subcommand is `container|name`.
pub(crate) async fn executions(lab: &Lab, node: usize, command: &str) -> u64 {
    command_count(lab, node, command, "calls").await
}

/// How often the nodes that run have executed a command, all together.
pub(crate) async fn all_executions(lab: &Lab, command: &str) -> u64 {
    all_command_counts(lab, command, "calls").await
}

/// What the nodes that run have counted of a command, all together: `calls`, `failed_calls` or `rejected_calls`.
pub(crate) async fn all_command_counts(lab: &Lab, command: &str, count: &str) -> u64 {
    let mut sum = 0;
    for node in lab.nodes().iter().filter(|node| node.is_running()) {
        sum += command_count(lab, node.index, command, count).await;
    }
    sum
}

async fn command_count(lab: &Lab, node: usize, command: &str, count: &str) -> u64 {
    let told = text_of(lab, node, "commandstats").await;
    let counts =
        told.lines().find_map(|line| line.strip_prefix("cmdstat_")?.strip_prefix(command)?.strip_prefix(':'));
    let Some(counts) = counts else { return 0 };
    let number = counts.split(',').find_map(|part| part.strip_prefix(count)?.strip_prefix('='));
    number.unwrap_or_else(|| panic!("no {count} of {command} in {told}")).trim().parse().expect("a number")
}

async fn text_of(lab: &Lab, node: usize, section: &str) -> String {
    tell(lab, node, &["INFO", section]).await.as_str().expect("text").to_owned()
}
