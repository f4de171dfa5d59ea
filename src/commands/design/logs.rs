//! `design logs`

use std::{collections::BTreeSet, fmt::Write, ops::ControlFlow};

use serde::Serialize;
use weft_domain::duration;

use super::cluster::SetArgs;
use crate::{
    api::deployed::{LogEntry, LogPart, LogSource, MOST_FOLLOWED, ReadLogs},
    commands::Outcome,
    context::Context,
    error::{Code, Error, Result},
    output::{Delivered, Format, Human, Printable, View, escape},
};

/// How many lines of a container are shown, unless said otherwise: as many as kubectl shows.
const TAIL: &str = "10";
/// Most that is kept of logs that are not printed line by line, in bytes.
const KEPT: usize = 64 << 20;

/// Show what the containers of a deployed design wrote.
///
/// Pods are found by owner references, from the objects of the design down, or only from those that
/// are named: as KIND/NAME, or pod/NAME for one pod. Where there are several containers, each line
/// begins with pod/container. With -f new pods and restarted containers are followed, too, and the
/// command ends when all pods have ended.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design logs settings --context sandbox\n  weftctl design logs settings pod/settings --context sandbox --tail=-1 -o json"
)]
pub(super) struct Logs {
    #[command(flatten)]
    set: SetArgs,
    /// Only pods of these objects: KIND/NAME
    #[arg(value_name = "KIND/NAME", value_parser = object)]
    resources: Vec<String>,
    /// Only containers of this name
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// How many lines of each container, from the end; -1 for all
    #[arg(long, value_name = "LINES", default_value = TAIL, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    tail: i64,
    /// Only lines that are younger, for example 90s or 5m
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    since: Option<u64>,
    /// What the containers wrote before they were restarted
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
    /// Begin each line with its time
    #[arg(long)]
    timestamps: bool,
    /// Go on until interrupted: lines, or with -o json a document per line
    #[arg(short, long)]
    follow: bool,
    /// How many containers are followed at most
    #[arg(long, value_name = "COUNT", default_value_t = MOST_FOLLOWED, hide_short_help = true)]
    max_log_requests: usize,
}

fn object(text: &str) -> Result<String, String> {
    let is_one = text
        .split_once('/')
        .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
    if is_one {
        return Ok(text.to_owned());
    }
    Err("an object is named by KIND/NAME, such as deployment/web".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    let age = duration::parse(text).ok_or_else(|| format!("must be {}", duration::EXPECTED))?;
    // A part of a second counts as one: the API knows whole ones.
    Ok(age.as_secs() + u64::from(age.subsec_nanos() > 0))
}

/// Lines of containers, as they are printed when the log is not followed.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodLog {
    /// The lines: of one container after the other, each oldest first.
    items: Vec<LogEntry>,
    /// What could not be read, and containers that wrote nothing yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl View for PodLog {
    const KIND: &'static str = "PodLog";

    fn human(&self) -> Human {
        Human::Text(String::new())
    }

    fn names(&self) -> Vec<String> {
        let pods: BTreeSet<&str> = self.items.iter().map(|e| e.source.pod.as_str()).collect();
        pods.into_iter().map(|pod| format!("pod/{pod}")).collect()
    }
}

/// A line of a container, as `--follow` prints it.
#[derive(Serialize, schemars::JsonSchema)]
pub(super) struct PodLogLine {
    #[serde(flatten)]
    entry: LogEntry,
}

impl View for PodLogLine {
    const KIND: &'static str = "PodLogLine";

    fn human(&self) -> Human {
        Human::Text(format!("{}\n", self.entry.line))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("pod/{}", self.entry.source.pod)]
    }
}

/// What is done with the parts as they come.
struct Printer<'a> {
    cx: &'a Context,
    timestamps: bool,
    /// Each line at once: as text, or as a document.
    at_once: bool,
    sources: BTreeSet<LogSource>,
    kept: PodLog,
    size: usize,
    lines: usize,
    errors: Vec<Error>,
    reader_left: bool,
}

impl Printer<'_> {
    fn take(&mut self, part: LogPart) -> Result<ControlFlow<()>> {
        match part {
            LogPart::Source(source) => _ = self.sources.insert(source),
            LogPart::Line(entry) => {
                self.lines += 1;
                if !self.at_once {
                    return self.keep(entry);
                }
                if self.print(entry)? == Delivered::ReaderLeft {
                    self.reader_left = true;
                    return Ok(ControlFlow::Break(()));
                }
            }
            LogPart::Note { message } => {
                self.cx.terminal.note(message.as_str());
                self.kept.notes.push(message);
            }
            LogPart::Unreadable { error } => self.errors.push(error),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn print(&self, entry: LogEntry) -> Result<Delivered> {
        self.cx.print(|out| {
            if self.cx.format.is_json() {
                PodLogLine { entry }.write_json_line(out)
            } else {
                writeln!(out, "{}", escape::line(&self.line(&entry)))
            }
        })
    }

    /// The line, with its container where there are several.
    fn line(&self, entry: &LogEntry) -> String {
        let mut text = String::new();
        if self.sources.len() > 1 {
            let LogSource {
                context,
                pod,
                container,
                ..
            } = &entry.source;
            if self.sources.iter().any(|source| source.context != *context) {
                text.push_str(context);
                text.push('/');
            }
            let _ = write!(text, "{pod}/{container}: ");
        }
        if let (true, Some(time)) = (self.timestamps, &entry.time) {
            text.push_str(time);
            text.push(' ');
        }
        text.push_str(&entry.line);
        text
    }

    fn keep(&mut self, entry: LogEntry) -> Result<ControlFlow<()>> {
        self.size += entry.line.len() + size_of::<LogEntry>();
        if self.size > KEPT {
            return Err(Error::new(
                Code::OverLimit,
                format!("the logs are larger than {} MiB", KEPT >> 20),
            )
            .hint("ask for less with --tail or --since")
            .hint("or print line by line: -o table, or --follow"));
        }
        self.kept.items.push(entry);
        Ok(ControlFlow::Continue(()))
    }
}

impl Logs {
    /// Reads the logs; with `--follow` prints what comes until a signal.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let is_text = matches!(cx.format, Format::Table | Format::Wide);
        if self.follow && !is_text && !cx.format.is_json() {
            return Err(Error::new(
                Code::Usage,
                "--follow prints lines, or documents with -o json",
            )
            .hint("choose -o table or -o json, or leave --follow out"));
        }
        let mut printer = Printer {
            cx,
            timestamps: self.timestamps,
            at_once: self.follow || is_text,
            sources: BTreeSet::new(),
            kept: PodLog {
                items: Vec::new(),
                notes: Vec::new(),
            },
            size: 0,
            lines: 0,
            errors: Vec::new(),
            reader_left: false,
        };
        let request = ReadLogs {
            target: self.set.target(cx)?,
            name: self.set.name,
            resources: self.resources,
            container: self.container,
            tail: u64::try_from(self.tail).ok(),
            since_seconds: self.since,
            previous: self.previous,
            follow: self.follow,
            most_followed: self.max_log_requests,
        };
        let client = cx.client().await?;
        client.stream(&request, |part| printer.take(part)).await?;
        if printer.reader_left {
            return Ok(Outcome::shown());
        }
        if printer.lines == 0 && printer.errors.is_empty() {
            cx.terminal.note(match printer.sources.len() {
                0 => "no container has a log",
                _ => "no lines",
            });
        }
        let outcome = if printer.at_once {
            Outcome::shown()
        } else {
            printer.kept.into()
        };
        Ok(outcome.short_of(printer.errors))
    }
}
