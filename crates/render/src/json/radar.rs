//! The JSON of `fdscope ps --json`: `"schema": "fdscope/ps/1"`.

use fdscope_model::survey::{Bound, Counted, Survey, Vitals, Whose};
use serde::Serialize;

use super::{FaultForm, LimitForm, arguments, name, sentence};

/// The name and version of this form.
pub const SCHEMA: &str = "fdscope/ps/1";

/// What the object says beyond the survey.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The machine.
    pub machine: &'a str,
    /// Wall time, nanoseconds since 1970.
    pub taken_at_ns: u64,
    /// The limits worth knowing.
    pub bounds: &'a [Bound],
    /// Rows at most.
    pub top: Option<usize>,
    /// Processes that a pattern left out.
    pub left_out: u64,
}

/// The object, on one line with a line end.
pub fn radar(survey: &Survey, frame: Frame<'_>) -> String {
    let form = RadarForm::of(survey, frame);
    let mut text = serde_json::to_string(&form).expect("every key is a string and no value fails");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct RadarForm {
    schema: &'static str,
    fdscope: &'static str,
    machine: String,
    taken_at_ns: u64,
    processes: Vec<VitalsForm>,
    limits: Vec<BoundForm>,
    left_out: LeftOutForm,
    zombies: Vec<ZombieForm>,
    faults: Vec<FaultForm>,
}

impl RadarForm {
    fn of(survey: &Survey, frame: Frame<'_>) -> Self {
        let top = frame.top.unwrap_or(usize::MAX);
        let beyond = survey.processes.len().saturating_sub(top) as u64;
        RadarForm {
            schema: SCHEMA,
            fdscope: env!("CARGO_PKG_VERSION"),
            machine: sentence(frame.machine),
            taken_at_ns: frame.taken_at_ns,
            processes: survey.processes.iter().take(top).map(VitalsForm::of).collect(),
            limits: frame.bounds.iter().map(BoundForm::of).collect(),
            left_out: LeftOutForm {
                beyond_top: beyond,
                not_matching: frame.left_out,
                kernel_threads: survey.kernel_threads,
                vanished: survey.vanished,
                refused: survey.refused,
                others_hidden: survey.others_hidden,
            },
            zombies: survey
                .zombies
                .iter()
                .map(|&(parent, count)| ZombieForm { parent: parent.0, count })
                .collect(),
            faults: survey.faults.iter().map(FaultForm::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct VitalsForm {
    pid: u32,
    start_ticks: u64,
    parent: u32,
    uid: u32,
    comm: String,
    cmdline: Option<Vec<String>>,
    state: String,
    open: Option<u64>,
    open_limit: Option<u64>,
    threads: u64,
    nearest_limit: Option<LimitForm>,
    nearest_share: Option<f64>,
    growth: Option<GrowthForm>,
    limit_reached_in_s: Option<u64>,
}

impl VitalsForm {
    fn of(vitals: &Vitals) -> Self {
        let nearest = vitals.nearest();
        VitalsForm {
            pid: vitals.id.pid.0,
            start_ticks: vitals.id.start_ticks,
            parent: vitals.parent.0,
            uid: vitals.uid,
            comm: name(&vitals.comm),
            cmdline: vitals.cmdline.as_ref().map(|line| arguments(line.bytes())),
            state: char::from(vitals.state).to_string(),
            open: vitals.descriptors,
            open_limit: vitals.nofile.filter(|&limit| limit != u64::MAX),
            threads: vitals.threads,
            nearest_limit: nearest.as_ref().map(LimitForm::of),
            nearest_share: nearest.map(|near| rounded(near.used as f64 / near.value as f64, 1e4)),
            growth: vitals.growth.map(|growth| GrowthForm {
                over_ns: growth.over_ns,
                open: growth.descriptors,
                open_per_min: rounded(growth.descriptors_per_min(), 1e3),
                threads: growth.threads,
                threads_per_min: rounded(growth.threads_per_min(), 1e3),
            }),
            limit_reached_in_s: vitals.reached_in_s().map(|seconds| seconds.min(1e15) as u64),
        }
    }
}

fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

#[derive(Serialize)]
struct GrowthForm {
    over_ns: u64,
    open: i64,
    open_per_min: f64,
    threads: i64,
    threads_per_min: f64,
}

#[derive(Serialize)]
struct BoundForm {
    name: &'static str,
    value: Option<u64>,
    used: Option<u64>,
    is_at_least: bool,
    uid: Option<u32>,
    pid: Option<u32>,
    comm: Option<String>,
}

impl BoundForm {
    fn of(bound: &Bound) -> Self {
        let (uid, pid, comm) = match &bound.whose {
            Whose::Machine => (None, None, None),
            Whose::User(uid) => (Some(*uid), None, None),
            Whose::Process(pid, comm) => (None, Some(pid.0), Some(name(comm))),
        };
        BoundForm {
            name: bound.name.word(),
            value: (bound.value < i64::MAX as u64).then_some(bound.value),
            used: bound.used,
            is_at_least: bound.used.is_some() && bound.counted == Counted::AtLeast,
            uid,
            pid,
            comm,
        }
    }
}

#[derive(Serialize)]
struct LeftOutForm {
    beyond_top: u64,
    not_matching: u64,
    kernel_threads: u64,
    vanished: u64,
    refused: u64,
    others_hidden: bool,
}

#[derive(Serialize)]
struct ZombieForm {
    parent: u32,
    count: u64,
}
