//! What a user sees of the command line before anything is recorded.

use clap::{CommandFactory, Parser};
use trackmill::command::Cli;
use trackmill_tests::golden;

#[test]
fn help_is_as_documented() {
    let mut command = Cli::command();
    command.build();

    golden::check("help.txt", &help(command.clone()));
    for name in ["record", "recover"] {
        let command = command.find_subcommand(name).unwrap();
        golden::check(&format!("help-{name}.txt"), &help(command.clone()));
    }
    let plugin = command.find_subcommand("plugin").unwrap();
    for command in plugin
        .get_subcommands()
        .filter(|it| it.get_name() != "help")
    {
        let name = format!("help-plugin-{}.txt", command.get_name());
        golden::check(&name, &help(command.clone()));
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_the_reason() {
    for (arguments, reason) in [
        ("record", "<--track <TR_…>|--participant <IDENTITY>|--all>"),
        ("record --all --track TR_1", "cannot be used with"),
        ("record --all --source camera", "cannot be used with"),
        (
            "record --participant a --source kamera",
            "possible values: microphone, camera, screen_share, screen_share_audio",
        ),
        (
            "record --all --wait soon",
            "expected a time such as 90s, 30m or 1h30m",
        ),
        ("recover", "<PATH>"),
        ("rekord", "record"),
        (
            "plugin new My_Filter",
            "expected lower-case letters, digits and hyphens",
        ),
        ("plugin new a --lang python", "possible values: rust, c, js"),
        (
            "plugin new a --sdk nowhere",
            "neither a version nor a folder",
        ),
    ] {
        let url = ["--url", "ws://localhost"]
            .into_iter()
            .filter(|_| arguments.starts_with("record"));
        let words = ["trackmill"]
            .into_iter()
            .chain(arguments.split(' '))
            .chain(url);

        let error = Cli::try_parse_from(words).unwrap_err();

        assert_eq!(error.exit_code(), 2, "{arguments}");
        assert!(error.to_string().contains(reason), "{arguments}: {error}");
    }
}

/// As on a terminal of this width, whatever the environment holds.
fn help(command: clap::Command) -> String {
    let mut command = command
        .term_width(100)
        .mut_args(|arg| arg.hide_env_values(true));
    let text = command.render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
