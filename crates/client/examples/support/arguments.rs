//! The options of the longer examples: numbers with defaults, and `--help`.

/// The values of these options, in their order: from the command line, or their defaults. Each is a name, its default, and what it
/// means. Prints the help where that is asked for, or something is not an option.
pub(crate) fn numbers<const N: usize>(about: &str, options: [(&str, u64, &str); N]) -> [u64; N] {
    let lines: Vec<String> = options
        .iter()
        .map(|(name, default, meaning)| format!("  {name} N  {meaning} ({default})\n"))
        .collect();
    let help = format!(
        "{about}\n\nusage: [OPTION NUMBER]...\n\n{}\nThe cluster: TRUENAME_URL, TRUENAME_PASSWORD and TRUENAME_RESOLVE, \
         as `truename lab up` prints them.",
        lines.concat()
    );
    let mut values = options.map(|(_, default, _)| default);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--help" || argument == "-h" {
            println!("{help}");
            std::process::exit(0);
        }
        let place = options.iter().position(|(name, ..)| *name == argument);
        match place.zip(arguments.next().and_then(|text| text.parse().ok())) {
            Some((place, number)) => values[place] = number,
            None => {
                eprintln!("{argument}: not an option, or without a number\n\n{help}");
                std::process::exit(2);
            }
        }
    }
    values
}
