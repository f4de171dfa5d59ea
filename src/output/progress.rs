//! Says on stderr what is being done while it takes time.
//!
//! A person sees a line that moves, from 200 ms on; a log gets one plain line for each finished
//! step, and a sign of life every 30 s so that CI doesn't end the job. `-q` silences both. A thread
//! looks at the clock; tests pass a clock and look themselves with [`Progress::tick`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::human;
use super::terminal::Terminal;

/// Nothing is shown of a step that is quicker.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often a log gets a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often the line on a terminal moves.
const FRAME: Duration = Duration::from_millis(100);

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The steps of a command. Clones share them.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Shared>);

struct Shared {
    terminal: Arc<Terminal>,
    clock: Clock,
    steps: Mutex<Steps>,
    /// Dropped with the rest, which ends the thread.
    ticker: Mutex<Option<Sender<()>>>,
}

#[derive(Default)]
struct Steps {
    next: u64,
    running: BTreeMap<u64, Running>,
}

struct Running {
    what: String,
    count: Option<(u64, u64)>,
    started: Instant,
    spoke: Instant,
    bar: Option<ProgressBar>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

impl Progress {
    /// Shows progress by the system's clock.
    pub fn new(terminal: Arc<Terminal>) -> Self {
        let progress = Self::with_clock(terminal, Arc::new(Instant::now));
        if !progress.0.terminal.is_quiet() {
            progress.start_ticker();
        }
        progress
    }

    /// Shows progress by another clock, only when [`Progress::tick`] is called.
    pub fn with_clock(terminal: Arc<Terminal>, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            terminal,
            clock,
            steps: Mutex::default(),
            ticker: Mutex::default(),
        }))
    }

    /// Begins a step: what is being done, as in `reading shop.yaml…`.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let now = (self.0.clock)();
        let running = Running {
            what: what.into(),
            count: None,
            started: now,
            spoke: now,
            bar: None,
        };
        let mut steps = self.0.steps();
        let id = steps.next;
        steps.next += 1;
        steps.running.insert(id, running);
        Step {
            progress: self.clone(),
            id,
        }
    }

    /// Looks at the clock and shows what is due.
    pub fn tick(&self) {
        self.0.tick();
    }

    fn start_ticker(&self) {
        let (sender, receiver) = mpsc::channel::<()>();
        let shared = Arc::downgrade(&self.0);
        let run = move || {
            while receiver.recv_timeout(FRAME) == Err(RecvTimeoutError::Timeout) {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                shared.tick();
            }
        };
        // Without a thread there is just no progress to see.
        if thread::Builder::new()
            .name("progress".to_owned())
            .spawn(run)
            .is_ok()
        {
            *self.0.ticker.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        }
    }
}

impl Shared {
    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        if self.terminal.is_quiet() {
            return;
        }
        let now = (self.clock)();
        let mut steps = self.steps();
        for step in steps.running.values_mut() {
            let elapsed = now.saturating_duration_since(step.started);
            if self.terminal.stderr_is_terminal() {
                if elapsed >= PATIENCE {
                    let line = self.line(step, elapsed);
                    let bar = step.bar.get_or_insert_with(|| {
                        let bar = self.terminal.bars().add(ProgressBar::new_spinner());
                        bar.set_style(
                            ProgressStyle::with_template("{wide_msg}")
                                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                        );
                        bar
                    });
                    bar.set_message(line);
                }
            } else if now.saturating_duration_since(step.spoke) >= HEARTBEAT {
                step.spoke = now;
                self.terminal.note(format!(
                    "still {} ({})",
                    step.state(),
                    human::duration(elapsed)
                ));
            }
        }
    }

    /// The moving line: a frame of the spinner, what is done, how much of it, for how long.
    fn line(&self, step: &Running, elapsed: Duration) -> String {
        const UTF8: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const ASCII: [&str; 4] = ["|", "/", "-", "\\"];
        let frames: &[&str] = if self.terminal.is_utf8() {
            &UTF8
        } else {
            &ASCII
        };
        let turn = usize::try_from(elapsed.as_millis() / FRAME.as_millis()).unwrap_or(0);
        let text = self.terminal.shown(&step.state());
        format!(
            "{} {text} ({})",
            frames[turn % frames.len()],
            human::duration(Duration::from_secs(elapsed.as_secs()))
        )
    }

    fn remove(&self, id: u64) -> Option<(Running, Duration)> {
        let step = self.steps().running.remove(&id)?;
        if let Some(bar) = &step.bar {
            bar.finish_and_clear();
            self.terminal.bars().remove(bar);
        }
        let elapsed = (self.clock)().saturating_duration_since(step.started);
        Some((step, elapsed))
    }
}

impl Running {
    fn state(&self) -> String {
        match self.count {
            Some((done, total)) => format!("{} {done}/{total}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Something that is being done. Dropped without [`Step::finish`], it disappears without a word:
/// the error that follows says enough.
#[derive(Debug)]
#[must_use = "a step ends when it is dropped"]
pub struct Step {
    progress: Progress,
    id: u64,
}

impl Step {
    /// Says how much is done.
    pub fn set(&self, done: u64, total: u64) {
        self.change(|step| step.count = Some((done, total)));
    }

    /// Says anew what is being done, or what a wait now waits for.
    pub fn say(&self, what: impl Into<String>) {
        self.change(|step| step.what = what.into());
    }

    /// Ends the step with what came of it. A log always gets the line; a person only if the step
    /// took long enough to be seen.
    pub fn finish(self, message: impl Into<String>) {
        let Some((step, elapsed)) = self.progress.0.remove(self.id) else {
            return;
        };
        let terminal = &self.progress.0.terminal;
        let mut line = message.into();
        if elapsed >= Duration::from_secs(1) {
            line = format!("{line} ({})", human::duration(elapsed));
        }
        if !terminal.stderr_is_terminal() {
            terminal.note(line);
        } else if step.bar.is_some() {
            terminal.note(format!("✓ {line}"));
        }
    }

    /// Ends the step, and says so if it took long enough to be noticed.
    pub fn done(self) {
        let Some((step, elapsed)) = self.progress.0.remove(self.id) else {
            return;
        };
        if elapsed >= PATIENCE {
            let terminal = &self.progress.0.terminal;
            let mark = if terminal.stderr_is_terminal() {
                "✓ "
            } else {
                ""
            };
            terminal.note(format!(
                "{mark}{} ({})",
                step.state(),
                human::duration(elapsed)
            ));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Running)) {
        if let Some(step) = self.progress.0.steps().running.get_mut(&self.id) {
            change(step);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.progress.0.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::terminal::tests::{Captured, captured, person};
    use crate::output::terminal::{Options, Surroundings};

    /// Progress whose clock stands still until it is moved.
    fn stopped(surroundings: Surroundings, options: Options) -> (Progress, Captured, impl Fn(u64)) {
        let (terminal, _, err) = captured(surroundings, options);
        let start = Instant::now();
        let passed = Arc::new(Mutex::new(Duration::ZERO));
        let reading = Arc::clone(&passed);
        let clock: Clock = Arc::new(move || start + *reading.lock().unwrap());
        let progress = Progress::with_clock(Arc::new(terminal), clock);
        let handle = progress.clone();
        let advance = move |millis| {
            *passed.lock().unwrap() += Duration::from_millis(millis);
            handle.tick();
        };
        (progress, err, advance)
    }

    #[test]
    fn a_log_gets_a_line_for_each_step_and_a_heartbeat() {
        let (progress, err, advance) = stopped(Surroundings::default(), Options::default());
        let step = progress.step("reading shop.yaml");
        advance(500);
        step.finish("read 3 \u{1b}documents");
        let step = progress.step("waiting for Deployment/web");
        step.set(1, 4);
        advance(29_000);
        advance(1_000);
        step.say("waiting for Service/web");
        advance(1_000);
        advance(30_000);
        step.finish("4 resources are ready");
        assert_eq!(
            err.text(),
            "read 3 \\u{1b}documents\n\
             still waiting for Deployment/web 1/4 (30s)\n\
             still waiting for Service/web 1/4 (1m01s)\n\
             4 resources are ready (1m01s)\n"
        );
    }

    #[test]
    fn a_person_sees_nothing_of_a_quick_step() {
        let (progress, err, advance) = stopped(person(80), Options::default());
        let step = progress.step("reading");
        advance(199);
        step.finish("read");
        assert_eq!(err.text(), "");
    }

    #[test]
    fn a_person_sees_a_slow_step_and_its_end() {
        let (progress, err, advance) = stopped(person(80), Options::default());
        let step = progress.step("pulling a\u{1b}[2Jb");
        step.set(3, 9);
        advance(200);
        assert!(
            err.text().contains("⠹ pulling a\\u{1b}[2Jb 3/9 (0s)"),
            "{:?}",
            err.text()
        );
        advance(2_000);
        assert!(
            err.text().contains("pulling a\\u{1b}[2Jb 3/9 (2s)"),
            "{:?}",
            err.text()
        );
        step.finish("pulled b");
        assert!(
            err.text().ends_with("✓ pulled b (2.2s)\n"),
            "{:?}",
            err.text()
        );
        assert!(!err.text().contains("a\u{1b}"));
    }

    #[test]
    fn ascii_terminals_get_ascii() {
        let (progress, err, advance) = stopped(
            Surroundings {
                locale: None,
                ..person(80)
            },
            Options::default(),
        );
        let step = progress.step("reading…");
        advance(300);
        drop(step);
        assert!(
            err.text().contains("\\ reading... (0s)"),
            "{:?}",
            err.text()
        );
        assert!(err.text().is_ascii());
    }

    #[test]
    fn notes_stand_above_the_moving_line() {
        let (progress, err, advance) = stopped(person(80), Options::default());
        let step = progress.step("pulling");
        advance(300);
        progress.0.terminal.note("a word");
        advance(100);
        let text = err.text();
        let (line, note) = (
            text.find("pulling").unwrap(),
            text.find("a word\n").unwrap(),
        );
        assert!(
            line < note
                && text[line..note].contains("\r\u{1b}[2K")
                && text[note..].contains("pulling"),
            "{text:?}"
        );
        drop(step);
    }

    #[test]
    fn quiet_says_nothing_and_an_abandoned_step_neither() {
        let quiet = Options {
            quiet: true,
            ..Options::default()
        };
        for surroundings in [Surroundings::default(), person(80)] {
            let (progress, err, advance) = stopped(surroundings, quiet);
            let step = progress.step("reading");
            advance(60_000);
            step.finish("read");
            assert_eq!(err.text(), "");
        }
        let (progress, err, advance) = stopped(Surroundings::default(), Options::default());
        let step = progress.step("reading");
        advance(100);
        drop(step);
        advance(60_000);
        assert_eq!(err.text(), "");
    }

    #[test]
    fn the_thread_ends_with_the_progress() {
        let (terminal, _, err) = captured(person(80), Options::default());
        let progress = Progress::new(Arc::new(terminal));
        let weak = Arc::downgrade(&progress.0);
        let step = progress.step("waiting");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !err.text().contains("waiting") && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(err.text().contains("waiting"));
        drop((step, progress));
        while weak.upgrade().is_some() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(weak.upgrade().is_none());
    }
}
