//! The screen of every process, by danger: the radar, live.

use std::collections::{HashMap, VecDeque};

use fdscope_model::survey::{Bound, Counted, Survey, Vitals};
use fdscope_model::{LimitName, Name, Pid, ProcessId};
use fdscope_render::Charset;
use fdscope_render::graph::spark;
use fdscope_render::radar::{COLUMNS, WIDE, cells};
use fdscope_render::style::Style;
use fdscope_render::table::{Column, Keep};
use fdscope_render::units;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use crate::desk::{Desk, Heard};
use crate::key::{Action, Input, On};
use crate::palette::Look;
use crate::pane::Pane;
use crate::pen::Pen;
use crate::rows::{Field, Row};
use crate::{Outcome, help};

/// Looks that the sparklines show.
const LOOKS: usize = 60;
/// Columns of a sparkline.
const SPARK: usize = 10;
/// Before this column of the radar stands the sparkline.
const BEFORE: &str = "PER MIN";

const KEYS: &[(&str, &str)] = &[
    ("Enter", "watch"),
    ("/", "search"),
    ("f", "filter"),
    ("s", "sort"),
    ("space", "freeze"),
    ("?", "help"),
    ("q", "quit"),
];

/// The screen of `fdscope top`.
pub struct Top {
    look: Look,
    users: HashMap<u32, Name>,
    /// What the rows are sorted by as they come.
    order: &'static str,
    pane: Pane,
    desk: Desk,
    history: HashMap<ProcessId, VecDeque<u64>>,
    shown: Shown,
    /// What came while the screen was frozen.
    waiting: Option<(Survey, Vec<Bound>)>,
}

/// What the head of the screen tells.
#[derive(Default)]
struct Shown {
    processes: usize,
    zombies: u64,
    bounds: Vec<Bound>,
    hidden: bool,
    /// Of some process another limit than that of descriptors is nearest.
    nearest: bool,
}

impl Top {
    /// An empty screen; `order` is what surveys will be sorted by.
    pub fn new(look: Look, users: HashMap<u32, Name>, order: &'static str) -> Self {
        let mut pane = Pane::new("Processes", &columns());
        pane.say_empty("looking for the first time");
        Top {
            look,
            users,
            order,
            pane,
            desk: Desk::default(),
            history: HashMap::new(),
            shown: Shown::default(),
            waiting: None,
        }
    }

    /// Takes another look at all processes. True if the screen is to be drawn again.
    pub fn take(&mut self, survey: Survey, bounds: Vec<Bound>) -> bool {
        self.remember(&survey);
        if self.desk.frozen {
            self.waiting = Some((survey, bounds));
            return false;
        }
        self.show(&survey, bounds);
        true
    }

    fn remember(&mut self, survey: &Survey) {
        let mut before = std::mem::take(&mut self.history);
        for vitals in &survey.processes {
            let Some(open) = vitals.descriptors else { continue };
            let mut past = before.remove(&vitals.id).unwrap_or_default();
            past.push_back(open);
            if past.len() > LOOKS {
                past.pop_front();
            }
            self.history.insert(vitals.id, past);
        }
    }

    fn show(&mut self, survey: &Survey, bounds: Vec<Bound>) {
        let rows = survey.processes.iter().map(|vitals| self.row(vitals)).collect();
        self.pane.set(rows);
        self.pane.say_empty("there is no process to be seen");
        self.shown = Shown {
            processes: survey.processes.len(),
            zombies: survey.zombies.iter().map(|(_, count)| count).sum(),
            bounds,
            hidden: survey.others_hidden || survey.refused > 0,
            nearest: survey.processes.iter().any(|vitals| {
                vitals.nearest().is_some_and(|limit| limit.name != LimitName::Nofile)
            }),
        };
    }

    fn row(&self, vitals: &Vitals) -> Row {
        let ranks = ranks(vitals);
        let cells = cells(vitals, &self.users, self.look.charset);
        let mut fields: Vec<Field> = COLUMNS
            .iter()
            .zip(cells)
            .map(|(column, cell)| {
                let rank = ranks.iter().find(|rank| rank.0 == column.header).and_then(|r| r.1);
                Field { cell, rank }
            })
            .collect();
        let empty = VecDeque::new();
        let past: Vec<u64> =
            self.history.get(&vitals.id).unwrap_or(&empty).iter().copied().collect();
        let grown = vitals.growth.map_or(0.0, |growth| growth.descriptors_per_min());
        let spark = trend(&past, self.look);
        fields.insert(place_of_spark(), Field::number(Style::Curve, spark, grown));
        Row { key: key(vitals.id), fields }
    }

    /// Hears a key or the mouse.
    pub fn input(&mut self, input: Input) -> Outcome {
        let outcome = match self.desk.hear(input, &mut self.pane, |on| on == On::All) {
            Heard::Done(outcome) => outcome,
            Heard::Action(action) => self.act(action),
            Heard::Mouse(input) => self.point(input),
            Heard::Time(_) => Outcome::Nothing,
        };
        if !self.desk.frozen
            && let Some((survey, bounds)) = self.waiting.take()
        {
            self.show(&survey, bounds);
        }
        outcome
    }

    fn act(&mut self, action: Action) -> Outcome {
        match action {
            Action::Freeze => self.desk.frozen = !self.desk.frozen,
            Action::Enter => return self.open(),
            Action::Back => return Outcome::Quit,
            _ => {}
        }
        Outcome::Redraw
    }

    fn point(&mut self, input: Input) -> Outcome {
        match input {
            Input::Click { row, .. } if self.pane.click(row) => return self.open(),
            Input::Wheel { up, .. } => self.pane.step(if up { -3 } else { 3 }),
            _ => {}
        }
        Outcome::Redraw
    }

    fn open(&self) -> Outcome {
        let pid = self.pane.selected().and_then(|key| u32::try_from(key >> 32).ok());
        pid.map_or(Outcome::Nothing, |pid| Outcome::Open(Pid(pid)))
    }

    /// Tells something on the last line until the next key.
    pub fn tell(&mut self, message: String) {
        self.desk.message = Some(message);
    }

    /// Draws the screen.
    pub fn draw(&mut self, buffer: &mut Buffer) {
        let area = buffer.area;
        let mut pen = Pen { buffer, look: self.look };
        if help::too_small(&mut pen, area) {
            return;
        }
        self.draw_head(&mut pen, area);
        let (columns, without) = self.columns(area.width.into());
        self.pane.set_columns(columns, without);
        let body = Rect { y: area.y + 2, height: area.height - 3, ..area };
        self.pane.draw(&mut pen, body, true);
        self.desk.draw_last(&mut pen, area, KEYS);
        if self.desk.help {
            help::draw(&mut pen, area, |on| on == On::All, &[]);
        }
    }

    /// The columns that say something in so much room.
    fn columns(&self, width: usize) -> (Vec<Column>, Vec<&'static str>) {
        let mut columns = columns();
        let mut without = Vec::new();
        if !self.shown.nearest {
            without.push("NEAREST");
        }
        // One column at most gives way by being shortened: where there is room, that is the command line.
        let keep = if width < WIDE { Keep::Shorten(12) } else { Keep::Drop(3) };
        let command = columns.iter_mut().filter(|column| column.header == "COMMAND");
        command.for_each(|column| column.keep = keep);
        if width < WIDE {
            without.push("COMMAND LINE");
        }
        (columns, without)
    }

    fn draw_head(&self, pen: &mut Pen<'_>, area: Rect) {
        let after = pen.put(area, 0, 1, Style::Strong, "fdscope top");
        let mut text = units::count_of(self.shown.processes as u64, "process", "processes");
        if self.shown.zombies > 0 {
            text = format!("{text}, {}", units::count_of(self.shown.zombies, "zombie", "zombies"));
        }
        if self.shown.hidden {
            text.push_str(", others hidden");
        }
        let mut after = pen.put(area, 0, after + 2, Style::Plain, &text);
        if self.desk.frozen {
            after = pen.put(area, 0, after + 2, Style::Suspect, "FROZEN");
        }
        let standing = self.pane.standing();
        let by = format!("by {}", self.order);
        let sorted =
            if standing.starts_with("by ") { standing } else { format!("{by} {standing}") };
        pen.put_right(area, 0, after + 2, Style::Dim, &[&format!("{} ", sorted.trim_end())]);
        self.draw_bounds(pen, area);
    }

    /// The limits that processes share, the fullest first, as far as there is room.
    fn draw_bounds(&self, pen: &mut Pen<'_>, area: Rect) {
        let share = |bound: &Bound| {
            let used = bound.used.filter(|_| bound.value > 0 && bound.value < i64::MAX as u64);
            used.map(|used| used as f64 / bound.value as f64)
        };
        let mut bounds: Vec<(f64, &Bound)> =
            self.shown.bounds.iter().filter_map(|bound| Some((share(bound)?, bound))).collect();
        bounds.retain(|(share, _)| *share >= 0.01);
        bounds.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut column = 1;
        for (share, bound) in bounds {
            let used = bound.used.unwrap_or_default();
            let least = if bound.counted == Counted::AtLeast { ">" } else { "" };
            let used = format!("{least}{}", units::share(used, bound.value));
            let of = format!("of {}", bound.name.word());
            let width = used.chars().count() + of.len() + 4;
            if usize::from(column) + width > area.width.into() {
                break;
            }
            let paint = pen.look.heat(share);
            column = pen.put_painted(area, 1, column, paint, &used);
            column = pen.put(area, 1, column + 1, Style::Dim, &of) + 3;
        }
    }
}

fn columns() -> Vec<Column> {
    let mut columns = COLUMNS.to_vec();
    columns.insert(place_of_spark(), Column::left("TREND").keep(Keep::Drop(8)));
    columns
}

fn place_of_spark() -> usize {
    COLUMNS.iter().position(|column| column.header == BEFORE).unwrap_or(COLUMNS.len())
}

/// Numbers by which the columns of numbers are sorted.
fn ranks(vitals: &Vitals) -> [(&'static str, Option<f64>); 7] {
    let growth = vitals.growth.map(|growth| growth.descriptors_per_min());
    [
        // Process numbers read best upwards.
        ("PID", Some(-f64::from(vitals.id.pid.0))),
        ("OPEN", vitals.descriptors.map(|open| open as f64)),
        ("LIMIT", vitals.nofile.map(|limit| limit as f64)),
        ("USED", vitals.nearest().map(|limit| limit.used as f64 / limit.value.max(1) as f64)),
        ("THREADS", Some(vitals.threads as f64)),
        ("PER MIN", growth),
        ("LIMIT IN", vitals.reached_in_s().map(|seconds| -seconds)),
    ]
}

/// The number in its upper half: by that, Enter knows whom to open.
fn key(id: ProcessId) -> u64 {
    (u64::from(id.pid.0) << 32) | (id.start_ticks & u64::from(u32::MAX))
}

/// The curve of the latest looks, its foot at its minimum; nothing while nothing changes.
pub(crate) fn trend(past: &[u64], look: Look) -> String {
    let (Some(&low), Some(&high)) = (past.iter().min(), past.iter().max()) else {
        return String::new();
    };
    if low == high {
        let flat = if look.charset == Charset::Utf8 { "▁" } else { "." };
        return flat.repeat(past.len().min(SPARK));
    }
    // One above the foot, so that the lowest value is a low bar and no gap.
    let above: Vec<u64> = past.iter().map(|value| value - low + (high - low).div_ceil(8)).collect();
    spark(&above, SPARK.min(above.len()), look.charset)
}
