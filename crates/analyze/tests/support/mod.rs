//! A stage for scenarios: handles with birth, death and place are written down in any order, then played in the order
//! of time with the lowest free descriptor numbers, as a kernel would.

#![allow(dead_code, reason = "each test file uses its part of the stage")]

use std::collections::{BTreeMap, BTreeSet};

use fdscope_analyze::{Judgement, Ledger, LedgerOptions, Names};
use fdscope_model::event::{Acquire, AcquireCause, Body, Event, Release, ReleaseCause, Slot};
use fdscope_model::process::{GroupCount, Sample};
use fdscope_model::{
    FdNumber, FileId, Frame, HandleKey, HandleKind, InodeId, Level, Limit, LimitName, Monotonic,
    Name, Pid, StackId, Symbol, Symbolized, Symbolizer, TableId, Tid, Trace, Verdict,
};
use fdscope_record::{Opening, Record};

pub const PID: Pid = Pid(100);
pub const TABLE: TableId = TableId(0xffff_8880_0000_1000);

/// A generator of numbers that is the same everywhere (xorshift64*).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| assert_ne!(chance.next(), 0));
        chance
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Evenly within 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub fn is(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

/// One handle's life. Without death it lives on.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub born: f64,
    pub died: Option<f64>,
    pub stack: u32,
    pub closer: u32,
    pub kind: HandleKind,
    pub existing: bool,
    /// The life whose description this one shares.
    pub dup_of: Option<usize>,
}

/// What happens in a scenario.
pub struct Stage {
    pub chance: Chance,
    pub lives: Vec<Life>,
    pub samples: Vec<(f64, HandleKind, &'static str, u64)>,
    pub lost_at: Option<f64>,
    pub exit_at: Option<f64>,
    /// True if the process was launched to be watched, rather than found running.
    pub launched: bool,
    pub stackless: bool,
}

/// The stack that scenarios blame.
pub const SITE: u32 = 1;
/// The usual closer.
pub const CLOSER: u32 = 90;

impl Stage {
    pub fn new(seed: u64) -> Self {
        Stage {
            chance: Chance::new(seed),
            lives: Vec::new(),
            samples: Vec::new(),
            lost_at: None,
            exit_at: None,
            launched: false,
            stackless: false,
        }
    }

    pub fn live(&mut self, born: f64, died: Option<f64>) -> usize {
        self.live_at(SITE, born, died)
    }

    pub fn live_at(&mut self, stack: u32, born: f64, died: Option<f64>) -> usize {
        let kind = HandleKind::File;
        self.lives.push(Life {
            born,
            died,
            stack,
            closer: CLOSER,
            kind,
            existing: false,
            dup_of: None,
        });
        self.lives.len() - 1
    }

    /// A handle from before the watch, of the same name as those of the site.
    pub fn existing(&mut self, died: Option<f64>) {
        let index = self.live_at(SITE, 0.0, died);
        self.lives[index].existing = true;
    }

    /// Times of a Poisson stream.
    pub fn stream(&mut self, from: f64, to: f64, per_s: f64) -> Vec<f64> {
        let mut times = Vec::new();
        let mut at = from + self.chance.exponential(1.0 / per_s);
        while at < to {
            times.push(at);
            at += self.chance.exponential(1.0 / per_s);
        }
        times
    }

    /// Ordinary traffic at another place, so that the site is never alone.
    pub fn traffic(&mut self, to: f64) {
        for at in self.stream(0.0, to, 4.0) {
            let lifetime = self.chance.exponential(0.02);
            self.live_at(50, at, Some(at + lifetime));
        }
    }
}

fn at(seconds: f64) -> Monotonic {
    Monotonic(5_000_000_000 + (seconds * 1e9) as u64)
}

enum Act {
    Birth(usize),
    Death(usize),
    Sample(usize),
    Lost,
    Exec,
    Exit,
}

/// Symbols of scenario stacks: stack N is `site_N` called by `main`, under a plumbing frame.
pub struct Table;

impl Symbolizer for Table {
    fn symbolize(&mut self, stack: StackId) -> Symbolized {
        let frame = |name: &str, offset: u64, plumbing| Frame {
            symbol: Symbol { function: Some(name.to_owned()), ..Symbol::default() },
            module: "/bin/app".into(),
            build_id: None,
            offset,
            plumbing,
        };
        let place = u64::from(stack.0 % 1000);
        let caller = format!("caller_{}", stack.0 / 1000);
        let frames = vec![
            frame("open", 16, true),
            frame(&format!("site_{place}"), 4096 + place, false),
            frame(&caller, 8192, false),
        ];
        Symbolized { frames, at: Some(1) }
    }
}

/// Plays a stage up to `until` seconds and returns the ledger.
pub struct Play<'a> {
    stage: &'a Stage,
    acts: Vec<(f64, Act)>,
    next: usize,
    free: BTreeSet<u32>,
    top: u32,
    fds: BTreeMap<usize, u32>,
    pub ledger: Ledger,
    /// Everything that the ledger was told, as a recording would have it; kept only by [`Play::recorded`].
    pub tape: Option<Vec<Record<'static>>>,
}

impl<'a> Play<'a> {
    /// A play that keeps what it tells.
    pub fn recorded(stage: &'a Stage) -> Self {
        let mut process = fdscope_model::Process::default();
        process.id.pid = PID;
        let opening = Opening { begun: at(0.0), ..Opening::default() };
        let tape = vec![Record::Opening(opening), Record::Process(process)];
        Play { tape: Some(tape), ..Play::new(stage) }
    }

    pub fn new(stage: &'a Stage) -> Self {
        let mut acts = Vec::new();
        for (index, life) in stage.lives.iter().enumerate() {
            acts.push((if life.existing { -1.0 } else { life.born }, Act::Birth(index)));
            acts.extend(life.died.map(|died| (died, Act::Death(index))));
        }
        acts.extend(stage.samples.iter().enumerate().map(|(i, sample)| (sample.0, Act::Sample(i))));
        acts.extend(stage.lost_at.map(|at| (at, Act::Lost)));
        acts.extend(stage.launched.then_some((-0.5, Act::Exec)));
        acts.extend(stage.exit_at.map(|at| (at, Act::Exit)));
        acts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pattern: fn(HandleKind, &Name) -> Name = |_, _| "pattern".into();
        let mut ledger = Ledger::new(LedgerOptions { begun: Some(at(0.0)), pattern });
        let mut process = fdscope_model::Process::default();
        process.id.pid = PID;
        ledger.know(process);
        let (free, fds) = (BTreeSet::new(), BTreeMap::new());
        Play { stage, acts, next: 0, free, top: 3, fds, ledger, tape: None }
    }

    pub fn until(&mut self, end: f64) {
        while self.next < self.acts.len() && self.acts[self.next].0 <= end {
            let when = at(self.acts[self.next].0.max(0.0));
            match self.acts[self.next].1 {
                Act::Birth(index) => self.birth(when, index),
                Act::Death(index) => self.death(when, index),
                Act::Sample(index) => self.sample(when, index),
                Act::Lost => self.apply(when, Body::Lost { count: 7 }),
                Act::Exec => self.apply(when, Body::Exec { table: TABLE, comm: "app".into() }),
                Act::Exit => self.apply(when, Body::Exit { table: TABLE }),
            }
            self.next += 1;
        }
    }

    fn apply(&mut self, when: Monotonic, body: Body<'_>) {
        let event = Event { at: when, pid: PID, tid: Tid(PID.0), body };
        self.ledger.apply(&event);
        if let Some(tape) = &mut self.tape {
            tape.push(fdscope_record::owned(&Record::Event(event)));
        }
    }

    fn birth(&mut self, when: Monotonic, index: usize) {
        let life = self.stage.lives[index];
        let fd = self.free.pop_first().unwrap_or_else(|| {
            self.top += 1;
            self.top - 1
        });
        self.fds.insert(index, fd);
        let original = life.dup_of.unwrap_or(index);
        let cause = match (life.existing, life.dup_of) {
            (true, _) => AcquireCause::Existing,
            (_, Some(of)) => AcquireCause::Dup("dup", FdNumber(self.fds[&of])),
            _ => AcquireCause::Call("openat"),
        };
        let unseen = life.existing || self.stage.stackless;
        self.apply(
            when,
            Body::Acquire(Acquire {
                key: HandleKey::Descriptor(TABLE, FdNumber(fd)),
                kind: life.kind,
                file: Some(FileId(1 << 40 | original as u64)),
                inode: Some(InodeId { inode: original as u64, ..InodeId::default() }),
                cloexec: Some(true),
                cause,
                name: unseen.then(|| "x".into()),
                trace: if unseen { Trace::None } else { Trace::Known(StackId(life.stack)) },
            }),
        );
    }

    fn death(&mut self, when: Monotonic, index: usize) {
        let Some(fd) = self.fds.remove(&index) else { return };
        self.free.insert(fd);
        let closer = self.stage.lives[index].closer;
        self.apply(
            when,
            Body::Release(Release {
                key: HandleKey::Descriptor(TABLE, FdNumber(fd)),
                cause: ReleaseCause::Call("close"),
                slot: Slot::Empty,
                trace: Trace::Known(StackId(closer)),
            }),
        );
    }

    /// A sample with all counts of its moment.
    fn sample(&mut self, when: Monotonic, index: usize) {
        let moment = self.stage.samples[index].0;
        if index > 0 && self.stage.samples[index - 1].0 == moment {
            return;
        }
        let groups = self
            .stage
            .samples
            .iter()
            .filter(|sample| sample.0 == moment)
            .map(|&(_, kind, group, count)| GroupCount {
                kind,
                group: group.into(),
                count,
                fresh: None,
            })
            .collect();
        let limits = vec![Limit { name: LimitName::Nofile, value: 1024, used: 0 }];
        let sample = Sample { at: when, pid: PID, groups, limits, ..Sample::default() };
        self.ledger.sample(&sample);
        if let Some(tape) = &mut self.tape {
            tape.push(Record::Sample(sample));
        }
    }

    /// The judgement at `now` seconds, after playing up to it.
    pub fn judge(&mut self, now: f64) -> Judgement {
        self.until(now);
        judge(&mut self.ledger, now)
    }
}

/// What a ledger judges at `now` seconds.
pub fn judge(ledger: &mut Ledger, now: f64) -> Judgement {
    let names = Names { handle: &|_, _| Some("x".into()), thread: &|_, _| None };
    ledger.judge(at(now), &mut Table, names)
}

/// A ledger that is told of these records, as the program tells its own.
pub fn retold<'a>(records: impl IntoIterator<Item = &'a Record<'static>>) -> Ledger {
    let pattern: fn(HandleKind, &Name) -> Name = |_, _| "pattern".into();
    let mut ledger = Ledger::new(LedgerOptions { begun: Some(at(0.0)), pattern });
    for record in records {
        match record {
            Record::Event(event) => ledger.apply(event),
            Record::Folded(folded) => ledger.fold(folded),
            Record::Process(process) => ledger.know(process.clone()),
            Record::Sample(sample) => ledger.sample(sample),
            _ => {}
        }
    }
    ledger
}

/// The verdict on the function `site_N`, if there is one.
pub fn on_site(judgement: &Judgement, site: u32) -> Option<&Verdict> {
    let name = format!("site_{site}");
    judgement.verdicts.iter().find(|verdict| {
        verdict
            .site
            .at
            .is_some_and(|at| verdict.site.frames[at].symbol.function.as_ref() == Some(&name))
    })
}

/// The worst level of all.
pub fn worst(judgement: &Judgement) -> Level {
    judgement.verdicts.iter().map(|verdict| verdict.level).max().unwrap_or(Level::Steady)
}

/// A handle every so often, none closed.
pub fn leak(stage: &mut Stage, end: f64, per_s: f64) {
    let mut at = 0.1;
    while at < end {
        stage.live(at, None);
        at += 1.0 / per_s;
    }
}

/// The judgement of a stage at `now` seconds.
pub fn judged(stage: &Stage, now: f64) -> Judgement {
    Play::new(stage).judge(now)
}

/// The verdict on the site that scenarios blame.
pub fn site(judgement: &Judgement) -> &Verdict {
    on_site(judgement, SITE).expect("a verdict on the site")
}
