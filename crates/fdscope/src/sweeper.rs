//! The radar with the reader that serves it best: one look of the kernel at all processes, or the walk through /proc.

use anyhow::Result;
use fdscope_bpf::processes::{BpfProcesses, is_worth_loading};
use fdscope_model::survey::{Bound, Survey, Vitals};
use fdscope_proc::ProcRoot;
use fdscope_proc::radar::{Counting, Radar};

/// Looks at all processes again and again.
pub struct Sweeper {
    root: ProcRoot,
    radar: Radar,
    kernel: Kernel,
}

/// Whether the kernel shows all processes at once.
enum Kernel {
    Unasked,
    Loaded(BpfProcesses),
    Refused,
}

impl Sweeper {
    /// Over a /proc.
    pub fn new(root: ProcRoot) -> Self {
        Sweeper { radar: Radar::new(root.clone()), root, kernel: Kernel::Unasked }
    }

    /// Looks at every process now.
    ///
    /// # Errors
    /// If /proc cannot be listed.
    pub fn sweep(&mut self) -> Result<Survey> {
        if let Kernel::Unasked = self.kernel
            && self.root.is_own()
            && is_worth_loading(self.root.about_how_many())
        {
            self.kernel = BpfProcesses::open().map_or(Kernel::Refused, Kernel::Loaded);
        }
        if let Kernel::Loaded(processes) = &self.kernel {
            let glimpses = processes.look().ok();
            if let Some(survey) = glimpses.and_then(|glimpses| self.radar.sweep_over(glimpses)) {
                return Ok(survey);
            }
            self.kernel = Kernel::Refused;
        }
        Ok(self.radar.sweep()?)
    }

    /// The limits worth knowing around these processes.
    pub fn bounds(&self, survey: &Survey, counting: Counting) -> Vec<Bound> {
        self.radar.bounds(survey, counting)
    }

    /// Adds the command lines of these processes.
    pub fn read_cmdlines(&self, processes: &mut [Vitals]) {
        self.radar.read_cmdlines(processes);
    }
}
