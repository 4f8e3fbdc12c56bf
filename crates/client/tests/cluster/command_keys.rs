//! Our idea of a command's keys against the server's: `COMMAND GETKEYS` on generated arguments, for every command
//! of the server that has keys.

use fastrand::Rng;
use std::collections::BTreeMap;
use std::error::Error;
use truename::command::{KeyRule, keys, lookup};
use truename_lab::{Lab, LabProfile};
use truename_resp::Reply;

/// Asks for the keys of many commands at once. A command is an argument, its words end with line ends; its answer is
/// a line of keys, or `!` for an error.
const SCRIPT: &str = r"
    local answers = {}
    for i, command in ipairs(ARGV) do
        local words = {}
        for word in command:gmatch('([^\n]*)\n') do words[#words + 1] = word end
        local answer = redis.pcall('COMMAND', 'GETKEYS', unpack(words))
        answers[i] = answer.err and '!' or table.concat(answer, ' ')
    end
    return table.concat(answers, '\n')";

/// Commands per call of the script.
const BATCH: usize = 1000;
/// Commands generated for each number of arguments.
const ROUNDS: usize = 12;
/// Numbers of arguments above the least one, for commands that take any.
const EXTRA: usize = 7;

/// Commands whose slot is decided by an argument that `GETKEYS` does not name: a channel, a slot, a key of `DEBUG`.
const NOT_BY_KEY: &[&str] = &[
    "CLUSTER COUNTKEYSINSLOT",
    "CLUSTER GETKEYSINSLOT",
    "CLUSTERSCAN",
    "DEBUG",
    "SPUBLISH",
    "SSUBSCRIBE",
    "SUNSUBSCRIBE",
];

#[tokio::test]
async fn keys_are_those_that_the_server_finds() -> Result<(), Box<dyn Error>> {
    let lab = Lab::builder(LabProfile::Plain).no_cluster().start().await?;
    let mut rng = Rng::with_seed(16_384);
    let mut commands = Vec::new();
    for (name, arity) in named(&lab.command(0, &["COMMAND"]).await?) {
        commands.extend(generated(&name, arity, &mut rng));
    }

    let mut compared = BTreeMap::new();
    for batch in commands.chunks(BATCH) {
        let lines: Vec<String> = batch.iter().map(|words| words.join("\n") + "\n").collect();
        let mut request = vec!["EVAL", SCRIPT, "0"];
        request.extend(lines.iter().map(String::as_str));
        let reply = lab.command(0, &request).await?;
        let answers: Vec<&str> = reply.as_str().ok_or("no text")?.split('\n').collect();
        assert_eq!(answers.len(), batch.len());
        for (words, answer) in batch.iter().zip(answers) {
            let (name, found) = ours(words);
            let count: &mut usize = compared.entry(name).or_default();
            // An error says that there are no keys or that the arguments are invalid, and then it does not matter
            // which node rejects them.
            if answer != "!" {
                *count += 1;
                assert_eq!(found.join(" "), answer, "{words:?}");
            }
        }
    }
    compared.retain(|name, _| !NOT_BY_KEY.contains(name));
    assert!(compared.len() > 150, "only {} commands with keys", compared.len());
    for (name, count) in compared {
        assert!(count >= ROUNDS / 2, "{name}: only {count} comparisons");
    }
    Ok(())
}

/// The name and arity of every command and subcommand in the reply to `COMMAND`.
fn named(reply: &Reply) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    for entry in reply.as_array().expect("a list of commands") {
        let entry = entry.as_array().expect("a command");
        let name = entry[0].as_str().expect("a name").to_uppercase().replace('|', " ");
        found.push((name, entry[1].as_integer().expect("an arity")));
        found.extend(named(&entry[9]));
    }
    found
}

/// Our name for a command, and the keys that we find in it.
fn ours(words: &[String]) -> (&'static str, Vec<&str>) {
    let spec = lookup(words[0].as_bytes(), words.get(1).map(String::as_bytes)).expect("a known command");
    let mut found = Vec::new();
    keys(spec, words, &mut |index| found.push(words[index].as_str()));
    (spec.name, found)
}

/// Commands of that name with every number of arguments; none if the command has no keys, or if the server is newer
/// than our table and the command too.
fn generated(name: &str, arity: i64, rng: &mut Rng) -> Vec<Vec<String>> {
    let mut words = name.split(' ').map(str::as_bytes);
    let spec = lookup(words.next().expect("a name"), words.next());
    if spec.is_none_or(|spec| spec.keys == KeyRule::None) {
        return Vec::new();
    }
    let least = usize::try_from(arity.abs()).expect("a number of arguments");
    let most = if arity < 0 { least + EXTRA } else { least };
    (least..=most)
        .flat_map(|len| std::iter::repeat_n(len, ROUNDS))
        .map(|len| arguments(name, len, rng))
        .collect()
}

/// One command with `len` words. Each argument is a name of its own, so that an answer shows positions too; some are
/// replaced by the numbers and option words that key positions can depend on.
fn arguments(name: &str, len: usize, rng: &mut Rng) -> Vec<String> {
    let mut words: Vec<String> = name.split(' ').map(|word| any_case(word, rng)).collect();
    words.extend((words.len()..len).map(|index| format!("argument-{index}")));
    for (index, choices) in places(name, len, rng) {
        if let Some(word) = words.get_mut(index) {
            *word = any_case(choices[rng.usize(..choices.len())], rng);
        }
    }
    words
}

/// Where to put which words. Options stand where they are options, and at most once: what a repeated option means
/// depends on which part of the server is asked.
fn places(name: &str, len: usize, rng: &mut Rng) -> Vec<(usize, &'static [&'static str])> {
    const NUMBERS: &[&str] = &["1", "1", "1", "2", "2", "3", "0", "-1", "99"];
    let option = |from: usize, rng: &mut Rng| rng.usize(from..len.max(from + 1));
    match name {
        "EVAL" | "EVAL_RO" | "EVALSHA" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" | "BLMPOP" | "BZMPOP"
        | "ZDIFFSTORE" | "ZINTERSTORE" | "ZUNIONSTORE" => vec![(2, NUMBERS)],
        "LMPOP" | "MSETEX" | "SDIFFCARD" | "SINTERCARD" | "SUNIONCARD" | "ZDIFF" | "ZINTER"
        | "ZINTERCARD" | "ZMPOP" | "ZUNION" => vec![(1, NUMBERS)],
        "XREAD" => vec![(option(1, rng), &["STREAMS"])],
        "XREADGROUP" => vec![(option(4, rng), &["STREAMS"]), (1, &["GROUP"])],
        "SORT" | "SORT_RO" => {
            vec![(option(2, rng), &["LIMIT", "BY", "GET", "ALPHA"]), (option(2, rng), &["STORE"])]
        }
        "GEORADIUS" | "GEORADIUSBYMEMBER" => vec![(option(6, rng), &["STORE", "STOREDIST", "ASC"])],
        "MIGRATE" => vec![
            (3, &["", "", "key"]),
            (option(6, rng), &["COPY", "AUTH", "AUTH2"]),
            (option(6, rng), &["KEYS"]),
        ],
        // Their keys do not depend on words. Some all the same, to see that none matters.
        _ => vec![(option(3, rng), &["STORE", "STREAMS", "KEYS", "2", ""])],
    }
}

fn any_case(word: &str, rng: &mut Rng) -> String {
    word.chars().map(|c| if rng.bool() { c.to_ascii_lowercase() } else { c }).collect()
}
