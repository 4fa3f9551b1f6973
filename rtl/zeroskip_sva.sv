// Assertions about the chip's ports, and assumptions about what stands around it, in SystemVerilog.
//
// Clauses are those of the AMBA AXI protocol specification, ARM IHI 0022. `a_` is a duty of the
// chip, `m_` one of the memory on its manager port, `h_` one of the host on its subordinate port:
// those are `assume`, which a simulator checks as well and a formal tool takes for granted.
// Compile it beside zeroskip.v; the `bind` at the end puts it into every instance.

module zeroskip_sva #(
    parameter int BUS_BYTES = 8,
    parameter int BURST_BEATS = 64,  // of the longest burst
    parameter int WRITE_BURSTS = 4,  // that are open at once, the one on offer among them
    parameter int SRAM_WORDS = 1024,  // bus words in vector SRAM
    parameter int SRAM_BITS = 10,
    // Both buses have the chip's clock. If not, what lies a cycle apart for the chip may lie any
    // number of cycles apart for them.
    parameter bit ONE_CLOCK = 1
) (
    input logic clk,
    input logic rst,
    input logic [31:0] m_axi_awaddr,
    input logic [7:0] m_axi_awlen,
    input logic [2:0] m_axi_awsize,
    input logic [1:0] m_axi_awburst,
    input logic m_axi_awvalid,
    input logic m_axi_awready,
    input logic [8*BUS_BYTES-1:0] m_axi_wdata,
    input logic [BUS_BYTES-1:0] m_axi_wstrb,
    input logic m_axi_wlast,
    input logic m_axi_wvalid,
    input logic m_axi_wready,
    input logic [1:0] m_axi_bresp,
    input logic m_axi_bvalid,
    input logic m_axi_bready,
    input logic [31:0] m_axi_araddr,
    input logic [7:0] m_axi_arlen,
    input logic [2:0] m_axi_arsize,
    input logic [1:0] m_axi_arburst,
    input logic m_axi_arvalid,
    input logic m_axi_arready,
    input logic [8*BUS_BYTES-1:0] m_axi_rdata,
    input logic [1:0] m_axi_rresp,
    input logic m_axi_rlast,
    input logic m_axi_rvalid,
    input logic m_axi_rready,
    input logic [7:0] s_axil_awaddr,
    input logic s_axil_awvalid,
    input logic s_axil_awready,
    input logic [31:0] s_axil_wdata,
    input logic [3:0] s_axil_wstrb,
    input logic s_axil_wvalid,
    input logic s_axil_wready,
    input logic [1:0] s_axil_bresp,
    input logic s_axil_bvalid,
    input logic s_axil_bready,
    input logic [7:0] s_axil_araddr,
    input logic s_axil_arvalid,
    input logic s_axil_arready,
    input logic [31:0] s_axil_rdata,
    input logic [1:0] s_axil_rresp,
    input logic s_axil_rvalid,
    input logic s_axil_rready,
    input logic irq,
    input logic debug_active,
    input logic debug_running,
    input logic debug_start,
    input logic debug_retire,
    input logic [15:0] debug_pc,
    input logic [BUS_BYTES-1:0] debug_sram_en,
    input logic [SRAM_BITS-1:0] debug_sram_addr,
    input logic debug_register_en
);
  localparam int SIZE = $clog2(BUS_BYTES);
  localparam logic [1:0] INCR = 2'b01;

  // --- what has been taken ---------------------------------------------------------------------
  wire aw_taken = m_axi_awvalid && m_axi_awready;
  wire w_taken = m_axi_wvalid && m_axi_wready;
  wire b_taken = m_axi_bvalid && m_axi_bready;
  wire ar_taken = m_axi_arvalid && m_axi_arready;
  wire r_taken = m_axi_rvalid && m_axi_rready;

  int addresses;  // write addresses that have no response yet
  int bursts;  // ended bursts of write data that have no response yet
  int beats;  // of the burst of write data that is coming
  int length;  // AWLEN of the last write address
  int reads;  // read bursts that are open
  int silent_aw, silent_w;  // cycles in which one channel waits and the other offers nothing
  int writes, answers;  // of the host: accesses without an answer
  logic [2:0] wrote;  // the host has written in one of the last cycles
  logic began;  // a command has started and not retired
  logic [15:0] began_pc;

  always_ff @(posedge clk)
    if (rst) begin
      addresses <= 0;
      bursts <= 0;
      beats <= 0;
      length <= 0;
      reads <= 0;
      silent_aw <= 0;
      silent_w <= 0;
      writes <= 0;
      answers <= 0;
      wrote <= 0;
      began <= 0;
      began_pc <= 0;
    end else begin
      addresses <= addresses + int'(aw_taken) - int'(b_taken);
      bursts <= bursts + int'(w_taken && m_axi_wlast) - int'(b_taken);
      if (w_taken) beats <= m_axi_wlast ? 0 : beats + 1;
      if (aw_taken) length <= int'(m_axi_awlen);
      reads <= reads + int'(ar_taken) - int'(r_taken && m_axi_rlast);
      silent_w <= m_axi_awvalid && !m_axi_wvalid && bursts <= addresses ? silent_w + 1 : 0;
      silent_aw <= m_axi_wvalid && !m_axi_awvalid && addresses <= bursts ? silent_aw + 1 : 0;
      writes <= writes + int'(s_axil_awvalid && s_axil_awready)
          - int'(s_axil_bvalid && s_axil_bready);
      answers <= answers + int'(s_axil_arvalid && s_axil_arready)
          - int'(s_axil_rvalid && s_axil_rready);
      wrote <= {wrote[1:0], s_axil_wvalid && s_axil_wready};
      if (debug_retire || !debug_running) began <= 0;
      else if (debug_start) began <= 1;
      if (debug_start) began_pc <= debug_pc;
    end

  // --- the manager -----------------------------------------------------------------------------
  // A3.1.2: valid is low in a cycle behind one of reset.
  a_reset_aw: assert property (@(posedge clk) rst |=> !m_axi_awvalid || !$past(rst));
  a_reset_w: assert property (@(posedge clk) rst |=> !m_axi_wvalid || !$past(rst));
  a_reset_ar: assert property (@(posedge clk) rst |=> !m_axi_arvalid || !$past(rst));

  // A3.2.1: what is offered stays, as it is, until it is taken.
  a_aw_stays: assert property (@(posedge clk) disable iff (rst)
      m_axi_awvalid && !m_axi_awready |=> m_axi_awvalid
      && $stable({m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst}))
    else $error("a_aw_stays (A3.2.1)");
  a_w_stays: assert property (@(posedge clk) disable iff (rst)
      m_axi_wvalid && !m_axi_wready |=> m_axi_wvalid
      && $stable({m_axi_wdata, m_axi_wstrb, m_axi_wlast}))
    else $error("a_w_stays (A3.2.1)");
  a_ar_stays: assert property (@(posedge clk) disable iff (rst)
      m_axi_arvalid && !m_axi_arready |=> m_axi_arvalid
      && $stable({m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst}))
    else $error("a_ar_stays (A3.2.1)");

  // A3.4.1: aligned, incrementing bursts of the bus's width, which cross no 4 KiB.
  a_aw_burst: assert property (@(posedge clk) disable iff (rst)
      m_axi_awvalid |-> m_axi_awburst == INCR && m_axi_awsize == 3'(SIZE)
      && int'(m_axi_awlen) < BURST_BEATS && m_axi_awaddr % BUS_BYTES == 0
      && (m_axi_awaddr & 32'hFFF) + (32'(m_axi_awlen) + 1) * BUS_BYTES <= 4096)
    else $error("a_aw_burst (A3.4.1)");
  a_ar_burst: assert property (@(posedge clk) disable iff (rst)
      m_axi_arvalid |-> m_axi_arburst == INCR && m_axi_arsize == 3'(SIZE)
      && int'(m_axi_arlen) < BURST_BEATS && m_axi_araddr % BUS_BYTES == 0
      && (m_axi_araddr & 32'hFFF) + (32'(m_axi_arlen) + 1) * BUS_BYTES <= 4096)
    else $error("a_ar_burst (A3.4.1)");

  // A3.4.1: a burst has as many beats as its address says, which was taken or is on offer.
  a_w_last: assert property (@(posedge clk) disable iff (rst)
      m_axi_wvalid && (addresses > bursts || m_axi_awvalid)
      |-> m_axi_wlast == (beats == (addresses > bursts ? length : int'(m_axi_awlen))))
    else $error("a_w_last (A3.4.1)");
  // This chip's: address and data of a burst behind all of the one before, and so many bursts that
  // have no response.
  a_one_write: assert property (@(posedge clk) disable iff (rst)
      (!m_axi_awvalid || addresses <= bursts) && (!m_axi_wvalid || bursts <= addresses)
      && beats < BURST_BEATS)
    else $error("a_one_write");
  a_writes_open: assert property (@(posedge clk) disable iff (rst)
      (!m_axi_awvalid || addresses < WRITE_BURSTS) && (!m_axi_wvalid || bursts < WRITE_BURSTS))
    else $error("a_writes_open");

  // A3.3.1: neither address nor data waits for the other's ready.
  a_w_waits_for_no_address: assert property (@(posedge clk) disable iff (rst || !ONE_CLOCK)
      silent_w <= 4)
    else $error("a_w_waits_for_no_address (A3.3.1)");
  a_aw_waits_for_no_data: assert property (@(posedge clk) disable iff (rst || !ONE_CLOCK)
      silent_aw <= 4)
    else $error("a_aw_waits_for_no_data (A3.3.1)");

  // --- the memory on the manager's bus ---------------------------------------------------------
  // A3.2.1, A3.3.1: answers stay, and belong to what was asked.
  m_r_stays: assume property (@(posedge clk) disable iff (rst)
      m_axi_rvalid && !m_axi_rready |=> m_axi_rvalid
      && $stable({m_axi_rdata, m_axi_rresp, m_axi_rlast}));
  m_b_stays: assume property (@(posedge clk) disable iff (rst)
      m_axi_bvalid && !m_axi_bready |=> m_axi_bvalid && $stable(m_axi_bresp));
  m_r_asked: assume property (@(posedge clk) disable iff (rst) m_axi_rvalid |-> reads > 0);
  m_b_asked: assume property (@(posedge clk) disable iff (rst)
      m_axi_bvalid |-> addresses > 0 && bursts > 0);

  // --- the subordinate -------------------------------------------------------------------------
  // A3.1.2, A3.2.1
  a_reset_b: assert property (@(posedge clk) rst |=> !s_axil_bvalid || !$past(rst));
  a_reset_r: assert property (@(posedge clk) rst |=> !s_axil_rvalid || !$past(rst));
  a_b_stays: assert property (@(posedge clk) disable iff (rst)
      s_axil_bvalid && !s_axil_bready |=> s_axil_bvalid && $stable(s_axil_bresp))
    else $error("a_b_stays (A3.2.1)");
  a_r_stays: assert property (@(posedge clk) disable iff (rst)
      s_axil_rvalid && !s_axil_rready |=> s_axil_rvalid && $stable({s_axil_rresp, s_axil_rdata}))
    else $error("a_r_stays (A3.2.1)");
  // A3.3.1: an answer behind its request only; B1.1.1: OKAY or SLVERR, never EXOKAY.
  a_b_asked: assert property (@(posedge clk) disable iff (rst) s_axil_bvalid |-> writes > 0)
    else $error("a_b_asked (A3.3.1)");
  a_r_asked: assert property (@(posedge clk) disable iff (rst) s_axil_rvalid |-> answers > 0)
    else $error("a_r_asked (A3.3.1)");
  a_b_answer: assert property (@(posedge clk) disable iff (rst)
      s_axil_bvalid |-> s_axil_bresp inside {2'b00, 2'b10})
    else $error("a_b_answer (B1.1.1)");
  a_r_answer: assert property (@(posedge clk) disable iff (rst)
      s_axil_rvalid |-> s_axil_rresp inside {2'b00, 2'b10}
      && (s_axil_rresp == 2'b00 || s_axil_rdata == 0))
    else $error("a_r_answer (B1.1.1; a refused read gives 0)");
  // This chip's: address and data of a write are taken together.
  a_write_together: assert property (@(posedge clk) disable iff (rst || !ONE_CLOCK)
      (s_axil_awvalid && s_axil_awready) == (s_axil_wvalid && s_axil_wready))
    else $error("a_write_together");

  // --- the host --------------------------------------------------------------------------------
  h_aw_stays: assume property (@(posedge clk) disable iff (rst)
      s_axil_awvalid && !s_axil_awready |=> s_axil_awvalid && $stable(s_axil_awaddr));
  h_w_stays: assume property (@(posedge clk) disable iff (rst)
      s_axil_wvalid && !s_axil_wready |=> s_axil_wvalid && $stable({s_axil_wdata, s_axil_wstrb}));
  h_ar_stays: assume property (@(posedge clk) disable iff (rst)
      s_axil_arvalid && !s_axil_arready |=> s_axil_arvalid && $stable(s_axil_araddr));

  // --- interrupt and status ----------------------------------------------------------------------
  // The interrupt is a level: only a write of the host takes it away. It comes when a program or a
  // load has ended, or when the host enables what has come before.
  a_irq_reset: assert property (@(posedge clk) rst |=> !irq || !$past(rst));
  a_irq_stays: assert property (@(posedge clk) disable iff (rst || !ONE_CLOCK)
      irq |=> irq || wrote != 0 || $past(s_axil_wvalid && s_axil_wready))
    else $error("a_irq_stays");

  // --- the debug port ------------------------------------------------------------------------------
  a_running_is_active: assert property (@(posedge clk) disable iff (rst)
      debug_running |-> debug_active)
    else $error("a_running_is_active");
  a_retire_runs: assert property (@(posedge clk) disable iff (rst)
      debug_retire |-> debug_running && (began || debug_start))
    else $error("a_retire_runs");
  a_retire_pc: assert property (@(posedge clk) disable iff (rst)
      debug_retire && began && !debug_start |-> debug_pc == began_pc)
    else $error("a_retire_pc");
  a_one_command: assert property (@(posedge clk) disable iff (rst)
      debug_start |-> debug_running && !began)
    else $error("a_one_command");
  a_register: assert property (@(posedge clk) disable iff (rst)
      debug_register_en |-> debug_running && (began || debug_start))
    else $error("a_register");
  a_sram_inside: assert property (@(posedge clk) disable iff (rst)
      debug_sram_en != 0 |-> int'(debug_sram_addr) < SRAM_WORDS)
    else $error("a_sram_inside");
endmodule
