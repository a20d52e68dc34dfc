//! The link's UART: COM2, driven by interrupts.
//!
//! Its ports are ours directly, without exits. Its line, ISA interrupt 3, reaches us in one of two ways: through
//! the emulated I/O APIC (with an IOMMU, as on bare metal) or as an event channel (without). Both are set up;
//! whichever fires wakes the driver.

use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{FifoTriggerLevel, IER};
use uart_16550::{BaudRate, Config, Uart16550};

/// COM2's first port.
const COM2: u16 = 0x2f8;
/// COM2's ISA interrupt line.
pub const COM2_IRQ: u8 = 3;

/// The most that [`LinkUart::worth`] says.
pub const MOST_WORTH: usize = 16;

/// The UART of the link.
pub struct LinkUart {
    uart: Uart16550<PioBackend>,
    sending: bool,
}

impl LinkUart {
    /// Finds and programs COM2: 115,200 baud, 8N1, FIFOs on, interrupts for received bytes. `None` if there is no
    /// such device.
    pub fn open() -> Option<Self> {
        // SAFETY: COM2's ports belong to domain 0 (Xen keeps only its console's), and nothing else here uses them.
        let mut uart = unsafe { Uart16550::new_port(COM2) }.ok()?;
        let config = Config {
            baud_rate: BaudRate::Baud115200,
            // Two bytes short of full: 170 us at this rate to answer in. QEMU hands over as many bytes at a
            // time as this says.
            fifo_trigger_level: Some(FifoTriggerLevel::Fourteen),
            ..Config::DEFAULT
        };
        uart.init(config).ok()?;
        uart.enable_interrupts(IER::DATA_READY);
        Some(Self { uart, sending: false })
    }

    /// Takes what has arrived; returns how many bytes.
    pub fn receive(&mut self, buffer: &mut [u8]) -> usize {
        self.uart.receive_bytes(buffer)
    }

    /// Whether the transmitter takes a FIFO's worth of bytes now.
    pub fn can_send(&mut self) -> bool {
        self.uart.ready_to_send().is_ok()
    }

    /// A FIFO's worth of bytes: what the transmitter takes when [`Self::can_send`]. One, where the device has no FIFO.
    pub fn worth(&self) -> usize {
        if self.uart.fifo_enabled() { MOST_WORTH } else { 1 }
    }

    /// Sends at most a FIFO's worth; returns how many bytes were taken.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        self.uart.send_bytes(bytes)
    }

    /// Asks for an interrupt when the transmitter is empty, or no longer.
    pub fn want_transmit_interrupt(&mut self, wanted: bool) {
        if wanted != self.sending {
            self.sending = wanted;
            match wanted {
                true => self.uart.enable_interrupts(IER::THR_EMPTY),
                false => self.uart.disable_interrupts(IER::THR_EMPTY),
            }
        }
    }

    /// Says whether the UART asks for attention, and takes back a "transmitter empty".
    ///
    /// The line is edge triggered: it interrupts again only after all its causes were gone for a moment. So call
    /// this, and [`Self::receive`], until it says no.
    pub fn interrupts(&mut self) -> bool {
        self.uart.lsr();
        self.uart.isr().has_pending_interrupt()
    }
}
