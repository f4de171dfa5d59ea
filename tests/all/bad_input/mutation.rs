//! Whatever happens to a text on its way here, reading and judging it neither panics nor hangs.
//!
//! Each input is made from the files of `testdata` by a generator that is seeded with the number
//! of the input, so that one input can be made again. It goes through the use cases in process.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a failed run must say"
)]

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use weft_domain::{
    design::Design,
    secret,
    source::{Bundle, Form, SourceFile, recognise},
    yaml,
};
use weftctl::{
    api::design::{
        DiffDesigns, ExportForm, PlanDesign, Reference, RenderDesign, Schemas, ValidateDesign,
    },
    config::home::Home,
    error::{Code, Error},
    service::{Clock, Ids, Services, design},
};

use super::corpus::testdata;
use crate::seeded::{Seeded, full};

/// Threads, each with a core of its own where there is one.
const THREADS: usize = 2;

/// An input that takes longer hangs; in time of the thread, as other tests run beside it.
const LIMIT: Duration = Duration::from_secs(2);

/// Pieces of YAML that change what stands around them.
const TOKENS: &[&str] = &[
    "&a ",
    "*a",
    "*a ",
    "<<: *a\n",
    "<<: [*a, *a]\n",
    "!!str ",
    "!!int ",
    "!!binary ",
    "!!null ",
    "!x ",
    "!<tag:x> ",
    "? ",
    ": ",
    "- ",
    "-",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\n---\n",
    "\n...\n",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "|\n",
    ">-\n",
    "|9\n",
    "\"",
    "'",
    "\\",
    "#",
    " #",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\u{0}",
    "\u{1b}",
    "\u{7f}",
    "\u{85}",
    "\u{feff}",
    "\u{202e}",
    "\u{fffd}",
    "\u{1f980}",
    "~",
    "null",
    "true",
    "yes",
    "0o17",
    "0777",
    "0x_1",
    "1e999",
    "-.inf",
    ".nan",
    "1_000",
    "99999999999999999999999999",
    "-9223372036854775809",
    "18446744073709551616",
    "1e-400",
    "1:30",
    "2026-01-01",
    "=",
    "@",
    "`",
    "apiVersion: v1\n",
    "kind: List\n",
    "kind: Secret\n",
    "items: 5\n",
    "items: [{}]\n",
    "metadata: 5\n",
    "metadata: [1]\n",
    "metadata: {name: 5}\n",
    "annotations: x\n",
    "annotations: [1]\n",
    "labels: 5\n",
    "spec: []\n",
    "data: [x]\n",
    "data: {x: 1}\n",
    "stringData: 1\n",
    "weftctl.dev/depends-on: ConfigMap/web\n",
    "weftctl.dev/deletion-policy: x\n",
    "dependsOn: [a]\n",
    "kind: CustomResourceDefinition\n",
    "schemaVersion: designs.meshery.io/v1beta3\n",
    "patternFile: |\n  services: {}\n",
    "services:\n",
    "components: [1]\n",
    "${X:-y}",
    "${X:?",
    "$$",
    "template: {spec: {containers: 5}}\n",
    "ports: [{port: 70000}]\n",
    "selector: 5\n",
];

struct Input<'a> {
    corpus: &'a [String],
    random: Seeded,
}

impl Input<'_> {
    fn make(corpus: &[String], seed: u64, number: u64) -> String {
        let mut input = Input {
            corpus,
            random: Seeded::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        };
        let mut text = input.pick().into_bytes();
        let gentle = number.is_multiple_of(2);
        let count = input.random.below(if gentle { 2 } else { 4 });
        for _ in 0..=count {
            let way = if gentle {
                9 + input.random.below(2)
            } else {
                input.random.below(15)
            };
            input.mutate(&mut text, way);
            text.truncate(256 << 10);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn pick(&mut self) -> String {
        self.corpus[self.random.below(self.corpus.len())].clone()
    }

    /// A place in a text: any byte, or the beginning of a line.
    fn place(&mut self, text: &[u8]) -> usize {
        let at = self.random.below(text.len() + 1);
        if self.random.below(2) == 0 {
            return at;
        }
        let line = text[..at].iter().rposition(|byte| *byte == b'\n');
        line.map_or(0, |line| line + 1)
    }

    /// A piece of a text.
    fn range(&mut self, text: &[u8], longest: usize) -> std::ops::Range<usize> {
        let start = self.place(text);
        let end = (start + self.random.below(longest)).min(text.len());
        start..end
    }

    fn mutate(&mut self, text: &mut Vec<u8>, way: usize) {
        match way {
            0 => {
                for _ in 0..=self.random.below(8) {
                    let at = self.random.below(text.len());
                    let bit = self.random.below(8);
                    if let Some(byte) = text.get_mut(at) {
                        *byte ^= 1 << bit;
                    }
                }
            }
            1 => {
                let at = self.random.below(text.len());
                text.truncate(at);
            }
            // Lines twice, somewhere else, or not at all.
            2 | 3 => {
                let range = self.range(text, 200);
                let piece = text[range].to_vec();
                let at = self.place(text);
                text.splice(at..at, piece);
            }
            4 => {
                let range = self.range(text, 60);
                text.drain(range);
            }
            5 => {
                let other = self.pick().into_bytes();
                let at = self.place(text);
                let from = self.place(&other);
                text.truncate(at);
                text.extend_from_slice(&other[from..]);
            }
            6 => {
                let other = self.pick().into_bytes();
                let range = self.range(&other, 300);
                let at = self.place(text);
                text.splice(at..at, other[range].to_vec());
            }
            7 => {
                let digits = "9".repeat(1 + self.random.below(400));
                let at = self.place(text);
                text.splice(at..at, digits.into_bytes());
            }
            8 => {
                let (open, close) = [
                    ("[", "]"),
                    ("{a: ", "}"),
                    ("- ", ""),
                    ("? ", ""),
                    ("&a [", "]"),
                ][self.random.below(5)];
                let depth = self.random.below(160);
                let at = self.place(text);
                let nested = open.repeat(depth) + "x" + &close.repeat(depth);
                text.splice(at..at, nested.into_bytes());
            }
            9 => {
                let value = self.value();
                // The value of a line, so that the rest stays what it was.
                let at = self.place(text);
                let line = text[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map_or(text.len(), |end| at + end);
                let colon = text[at..line]
                    .windows(2)
                    .position(|two| two == b": ")
                    .map_or(line, |colon| at + colon + 2);
                text.splice(colon..line, value.bytes());
            }
            10 => {
                // A line less.
                let at = self.random.below(text.len());
                let start = text[..at].iter().rposition(|byte| *byte == b'\n');
                let start = start.map_or(0, |start| start + 1);
                let end = text[at..].iter().position(|byte| *byte == b'\n');
                text.drain(start..end.map_or(text.len(), |end| at + end + 1));
            }
            _ => {
                for _ in 0..=self.random.below(3) {
                    let token = TOKENS[self.random.below(TOKENS.len())];
                    let at = self.place(text);
                    // Where a line begins, it stays where its block is.
                    let blanks = text[at..].iter().take_while(|byte| **byte == b' ').count();
                    text.splice(
                        at..at,
                        [" ".repeat(blanks).as_bytes(), token.as_bytes()].concat(),
                    );
                }
            }
        }
    }

    fn value(&mut self) -> String {
        [
            "5",
            "-1",
            "''",
            "x",
            "[]",
            "{}",
            "[1, {a: b}]",
            "{a: [b]}",
            "null",
            "true",
            "1.5",
            "{name: x}",
            "1e400",
            "*a",
            "&a {x: y}",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "70000",
            "2147483648",
            "a.b/c:d@e",
            "${A}",
        ][self.random.below(21)]
        .to_owned()
    }
}

/// Sends an input through the use cases; the error is what is wrong with the program.
async fn examine(
    services: &Services,
    text: &str,
    original: &str,
    turn: u64,
    readable: &AtomicU64,
) -> Result<(), String> {
    let bundle = |text: &str| Bundle {
        name: "mutant".to_owned(),
        origin: "mutant.yaml".to_owned(),
        form: recognise(text).unwrap_or(Form::Manifest),
        files: vec![SourceFile {
            path: "mutant.yaml".to_owned(),
            text: text.to_owned(),
        }],
        overlays: Vec::new(),
        values: None,
        notes: Vec::new(),
        limits: weft_domain::source::TextLimits::default(),
    };
    let inline = |text: &str| Reference::Inline(bundle(text));
    // A carriage return breaks a line as well, in YAML.
    let lines = u32::try_from(text.split(['\n', '\r']).count()).unwrap_or(u32::MAX);
    let sane = |error: &Error| {
        let bad = error.iter().find(|error| {
            let line = error.place().line;
            error.code() == Code::Internal
                || error.message().is_empty()
                || line.is_some_and(|line| line == 0 || line > lines)
        });
        bad.map_or(Ok(()), |error| Err(format!("a strange error: {error:?}")))
    };
    let request = ValidateDesign {
        fitting: weftctl::api::design::Fitting::default(),
        design: inline(text),
        namespace: None,
        schemas: Schemas::default(),
    };
    match design::validate(services, request).await {
        Ok(report) => {
            readable.fetch_add(1, Ordering::Relaxed);
            for finding in &report.findings {
                if finding.line.is_some_and(|line| line == 0 || line > lines)
                    || finding.message.is_empty()
                {
                    return Err(format!("a strange finding: {finding:?}"));
                }
            }
        }
        Err(error) => sane(&error)?,
    }
    let outcome = match turn % 5 {
        0 => {
            let request = PlanDesign {
                fitting: weftctl::api::design::Fitting::default(),
                design: inline(text),
                namespace: (turn.is_multiple_of(2)).then(|| "other".to_owned()),
                contexts: Vec::new(),
                schemas: Schemas::default(),
            };
            design::plan(services, request).await.map(drop)
        }
        1 => {
            let forms = [
                ExportForm::Design,
                ExportForm::Manifest,
                ExportForm::Chart,
                ExportForm::Kustomization,
                ExportForm::ArtifactHub,
            ];
            let request = RenderDesign {
                fitting: weftctl::api::design::Fitting::default(),
                design: inline(text),
                form: forms[usize::try_from(turn / 5).unwrap_or(0) % forms.len()],
                include_secrets: turn.is_multiple_of(2),
            };
            design::render(services, request).await.map(drop)
        }
        2 => {
            let request = DiffDesigns {
                fitting: weftctl::api::design::Fitting::default(),
                from: inline(original),
                to: inline(text),
            };
            let told = design::diff(services, request).await.map(drop);
            // It may be about the original, which has other lines.
            return match told {
                Err(error) if error.code() == Code::Internal => Err(format!("{error:?}")),
                _ => Ok(()),
            };
        }
        3 => {
            secrets_come_back(text)?;
            Ok(())
        }
        _ => {
            writing_loses_nothing(text)?;
            Ok(())
        }
    };
    outcome.or_else(|error| sane(&error))
}

/// What the store does with Secrets.
fn secrets_come_back(text: &str) -> Result<(), String> {
    let mut ids = uuid::Uuid::nil;
    let values: Vec<_> = yaml::split(text)
        .filter_map(|document| yaml::parse(&document, &yaml::Limits::STREAM).ok().flatten())
        .collect();
    let Some(first) = values.first().cloned() else {
        return Ok(());
    };
    let mut designs = vec![Design::read(first, &mut ids).ok()];
    designs.push(Design::from_manifests("mutant", values, &|_, _| None, &mut ids).ok());
    for design in designs.into_iter().flatten() {
        let mut stored = design.clone();
        let secrets = secret::take_design(&mut stored);
        let mut document = stored.to_value();
        secret::put_back(&mut document, secrets).map_err(|error| error.to_string())?;
        let back = Design::read(document, &mut ids).map_err(|error| error.to_string())?;
        if back.to_value() != design.to_value() {
            return Err("a design does not come back as it was stored".to_owned());
        }
    }
    Ok(())
}

/// What was read is read again from what is written.
fn writing_loses_nothing(text: &str) -> Result<(), String> {
    for document in yaml::split(text) {
        if let Ok(Some(value)) = yaml::parse(&document, &yaml::Limits::STREAM) {
            let written = yaml::to_string(&value);
            let limits = yaml::Limits {
                document_bytes: usize::MAX,
                ..yaml::Limits::STREAM
            };
            let again = yaml::parse_one(&written, &limits);
            if again.as_ref() != Ok(&value) {
                return Err(format!(
                    "{value} is written as\n{written}\nand read as {again:?}"
                ));
            }
        }
    }
    Ok(())
}

/// One input at work: its number, and the thread's time when it began.
#[derive(Default)]
struct Slot {
    number: AtomicU64,
    /// `/proc/self/task/…/schedstat`.
    clock: Mutex<Option<PathBuf>>,
}

/// The time that a thread has run, as far as the system says it.
fn thread_time(slot: &Slot, started: Instant) -> Duration {
    let clock = slot.clock.lock().map(|path| path.clone()).ok().flatten();
    let text = clock.and_then(|path| std::fs::read_to_string(path).ok());
    let nanos = text.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| started.elapsed(), Duration::from_nanos)
}

fn keep(text: &str, seed: u64, number: u64) -> PathBuf {
    let path = std::env::temp_dir().join(format!("weftctl-mutant-{seed}-{number}.yaml"));
    drop(std::fs::write(&path, text));
    path
}

#[test]
fn mutated_inputs_never_panic_and_never_hang() {
    let seed = Seeded::seed();
    let (count, time) = if full() {
        (1_000_000, Duration::from_hours(1))
    } else {
        (100_000, Duration::from_mins(5))
    };
    let corpus = corpus();
    let home = tempfile::tempdir().expect("a folder");
    let next = AtomicU64::new(0);
    let readable = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let failures = Mutex::new(String::new());
    let works: [Slot; THREADS] = Default::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = works
            .iter()
            .map(|slot| {
                let (next, over, failures, corpus) = (&next, &over, &failures, &corpus);
                let readable = &readable;
                let root = home.path();
                scope.spawn(move || {
                    let thread = std::fs::read_link("/proc/thread-self").ok();
                    *slot.clock.lock().expect("no panic") =
                        thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat"));
                    let ids = Ids::Seeded(AtomicU64::new(0));
                    let services = Services::new(
                        Home::below(root),
                        Clock::System,
                        ids,
                        CancellationToken::new(),
                    );
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .expect("a runtime");
                    while started.elapsed() < time && !over.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        slot.number.store(number + 1, Ordering::Relaxed);
                        let text = Input::make(corpus, seed, number);
                        let original = &corpus[usize::try_from(number).unwrap_or(0) % corpus.len()];
                        let outcome = catch_unwind(AssertUnwindSafe(|| {
                            runtime.block_on(examine(&services, &text, original, number, readable))
                        }));
                        let said = match outcome {
                            Ok(Ok(())) => continue,
                            Ok(Err(said)) => said,
                            Err(panic) => {
                                let text = panic.downcast_ref::<String>().cloned();
                                let text = text.or_else(|| {
                                    panic.downcast_ref::<&str>().map(|text| (*text).to_owned())
                                });
                                format!("panic: {}", text.unwrap_or_default())
                            }
                        };
                        let path = keep(&text, seed, number);
                        let mut failures = failures.lock().expect("no panic");
                        writeln!(failures, "input {number}, {}: {said}", path.display())
                            .expect("a string takes it");
                        // A handful says enough.
                        if failures.lines().count() > 200 || failures.matches("input ").count() > 8
                        {
                            over.store(true, Ordering::Relaxed);
                        }
                    }
                    slot.number.store(0, Ordering::Relaxed);
                })
            })
            .collect();
        let mut last: Vec<(u64, Duration)> = vec![(0, Duration::ZERO); works.len()];
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(100));
            for (slot, before) in works.iter().zip(&mut last) {
                let number = slot.number.load(Ordering::Relaxed);
                let now = thread_time(slot, started);
                if before.0 != number {
                    *before = (number, now);
                } else if number != 0 && now.saturating_sub(before.1) > LIMIT {
                    let text = Input::make(&corpus, seed, number - 1);
                    let path = keep(&text, seed, number - 1);
                    // The thread can't be ended, only the process.
                    eprintln!("input {} hangs: {}", number - 1, path.display());
                    std::process::exit(101);
                }
            }
        }
    });
    let done = next.load(Ordering::Relaxed).min(count);
    println!(
        "{done} inputs, {} of them readable, in {:.1} s",
        readable.load(Ordering::Relaxed),
        started.elapsed().as_secs_f64()
    );
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "WEFT_TEST_SEED={seed}\n{failures}");
    assert_eq!(done, count, "the time ran out");
    assert!(
        readable.into_inner() > count / 5,
        "most inputs don't get past the parser"
    );
}

/// Looks at one kept input again: `WEFT_TEST_INPUT=FILE`.
#[test]
fn a_kept_input_is_looked_at_again() {
    let Some(path) = std::env::var_os("WEFT_TEST_INPUT") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a kept input");
    let home = tempfile::tempdir().expect("a folder");
    let ids = Ids::Seeded(AtomicU64::new(0));
    let home = Home::below(home.path());
    let services = Services::new(home, Clock::System, ids, CancellationToken::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for turn in 0..25 {
        let readable = AtomicU64::new(0);
        let told = runtime.block_on(examine(&services, &text, &text, turn, &readable));
        assert_eq!(told, Ok(()), "turn {turn}");
    }
}

/// The files of `testdata`, and each of their documents.
fn corpus() -> Vec<String> {
    let mut corpus = Vec::new();
    for folder in ["manifests", "compose", "design", "bad"] {
        for path in testdata(folder) {
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue; // Of another encoding.
            };
            if text.len() > 16 << 10 {
                continue;
            }
            let documents: Vec<String> = yaml::split(&text)
                .map(|document| document.text.to_owned())
                .collect();
            if documents.len() > 1 {
                corpus.extend(documents);
            }
            corpus.push(text);
        }
    }
    corpus
}
