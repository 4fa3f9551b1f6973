// SPDX-License-Identifier: Apache-2.0
// AXI4 memory for simulation (ARM IHI 0022): bursts FIXED, INCR and WRAP of any size, byte strobes,
// up to DEPTH transactions open each way, responses in order and at most one in a cycle. Of a write,
// address and data may come in either order, data of later bursts too; a burst is answered LATENCY
// cycles after both are there and all of it is written. Beats outside the memory are answered with DECERR.
//
// LATENCY cycles pass before a read burst is answered. STALL is how often, of 256 cycles, each of the
// channels AW, W, AR, R and B does nothing of its own accord; what has been offered stays.
// ORDER 0 takes write addresses and data as they come, 1 no data before its address, 2 no address
// before all of its data.
`timescale 1ns / 1ps

module zeroskip_memory #(
  parameter BUS_BYTES = 8,
  parameter WORDS = 1024,
  parameter ID_BITS = 1,
  parameter LATENCY = 20,
  parameter STALL = 0,
  parameter ORDER = 0
) (
  input clk,
  input rst,
  input [ID_BITS-1:0] awid,
  input [31:0] awaddr,
  input [7:0] awlen,
  input [2:0] awsize,
  input [1:0] awburst,
  input awvalid,
  output reg awready,
  input [8*BUS_BYTES-1:0] wdata,
  input [BUS_BYTES-1:0] wstrb,
  input wlast,
  input wvalid,
  output reg wready,
  output reg [ID_BITS-1:0] bid,
  output reg [1:0] bresp,
  output reg bvalid,
  input bready,
  input [ID_BITS-1:0] arid,
  input [31:0] araddr,
  input [7:0] arlen,
  input [2:0] arsize,
  input [1:0] arburst,
  input arvalid,
  output reg arready,
  output reg [ID_BITS-1:0] rid,
  output reg [8*BUS_BYTES-1:0] rdata,
  output reg [1:0] rresp,
  output reg rlast,
  output reg rvalid,
  input rready
);
  localparam DEPTH = 4;     // transactions open in each direction
  localparam BEATS = 1024;  // beats of data whose address has not come
  localparam [1:0] OKAY = 2'd0, DECERR = 2'd3;
  localparam [1:0] FIXED = 2'd0, WRAP = 2'd2;

  reg [8*BUS_BYTES-1:0] words [0:WORDS-1];

  // What is open: written at the tails, worked on at the heads.
  reg [ID_BITS+44:0] aw_queue [0:DEPTH-1];  // id, addr, len, size, burst
  reg [ID_BITS+44:0] ar_queue [0:DEPTH-1];
  reg [63:0] ar_due [0:DEPTH-1];
  reg [ID_BITS+1:0] b_queue [0:DEPTH-1];    // id, resp
  reg [63:0] b_due [0:DEPTH-1];
  reg [9*BUS_BYTES:0] w_queue [0:BEATS-1];  // last, strb, data
  integer aw_tail, aw_head, ar_tail, ar_head, b_tail, b_head, w_tail, w_head;
  integer ends_taken;                       // last beats that have been taken
  integer addresses_taken;

  reg [63:0] cycle;
  reg [31:0] random;
  integer beat, read_beat, i;
  reg [31:0] address, read_address;
  reg [1:0] write_answer;
  reg [ID_BITS-1:0] id, read_id;
  reg [31:0] start, read_start;
  reg [7:0] len, read_len;
  reg [2:0] size, read_size;
  reg [1:0] burst, read_burst;
  reg last;
  reg [BUS_BYTES-1:0] strb;
  reg [8*BUS_BYTES-1:0] data, merged;

  // A byte of noise for each channel.
  function acts;
    input [31:0] noise;
    input integer channel;
    reg [31:0] rotated;
    begin
      rotated = noise >> (5 * channel);
      acts = {24'd0, rotated[7:0]} >= STALL;
    end
  endfunction

  // Address of the beat behind the one at `at` (A3.4.1).
  function [31:0] after;
    input [31:0] at;
    input [7:0] length;
    input [2:0] beat_size;
    input [1:0] kind;
    reg [31:0] step, whole, following;
    begin
      step = 32'd1 << beat_size;
      whole = step * ({24'd0, length} + 32'd1);
      following = (at & ~(step - 32'd1)) + step;
      if (kind == FIXED) after = at;
      else if (kind == WRAP)
        after = (at & ~(whole - 32'd1)) | (following & (whole - 32'd1));
      else after = following;
    end
  endfunction

  function holds;
    input [31:0] at;
    holds = at / BUS_BYTES < WORDS;
  endfunction

  initial begin
    cycle = 0;
    random = 32'h2545F491;
    bid = 0; bresp = 0; rid = 0; rdata = 0; rresp = 0; rlast = 0;
    for (i = 0; i < WORDS; i = i + 1) words[i] = 0;
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
    if (rst) begin
      awready <= 0; wready <= 0; arready <= 0; bvalid <= 0; rvalid <= 0;
      aw_tail = 0; aw_head = 0; ar_tail = 0; ar_head = 0;
      b_tail = 0; b_head = 0; w_tail = 0; w_head = 0;
      ends_taken = 0; addresses_taken = 0;
      beat = 0; read_beat = 0;
      address = 0; read_address = 0;
      write_answer = OKAY;
    end else begin
      // What is taken in this cycle.
      if (awvalid && awready) begin
        aw_queue[aw_tail % DEPTH] = {awid, awaddr, awlen, awsize, awburst};
        aw_tail = aw_tail + 1;
        addresses_taken = addresses_taken + 1;
      end
      if (wvalid && wready) begin
        w_queue[w_tail % BEATS] = {wlast, wstrb, wdata};
        w_tail = w_tail + 1;
        if (wlast) ends_taken = ends_taken + 1;
      end
      if (arvalid && arready) begin
        ar_queue[ar_tail % DEPTH] = {arid, araddr, arlen, arsize, arburst};
        ar_due[ar_tail % DEPTH] = cycle + LATENCY;
        ar_tail = ar_tail + 1;
      end
      if (bvalid && bready) bvalid <= 0;
      if (rvalid && rready) rvalid <= 0;

      // A beat is written when its address is there.
      if (aw_head != aw_tail && w_head != w_tail && b_tail - b_head < DEPTH) begin
        {id, start, len, size, burst} = aw_queue[aw_head % DEPTH];
        {last, strb, data} = w_queue[w_head % BEATS];
        w_head = w_head + 1;
        if (beat == 0) begin
          address = start;
          write_answer = OKAY;
        end
        if (holds(address)) begin
          merged = words[address / BUS_BYTES];
          for (i = 0; i < BUS_BYTES; i = i + 1)
            if (strb[i]) merged[8*i +: 8] = data[8*i +: 8];
          words[address / BUS_BYTES] = merged;
        end else write_answer = DECERR;
        if (last != (beat == {24'd0, len}))
          $fatal(1, "FAIL: WLAST in beat %0d of a write burst of %0d", beat, len + 1);
        address = after(address, len, size, burst);
        beat = beat + 1;
        if (last) begin
          b_queue[b_tail % DEPTH] = {id, write_answer};
          b_due[b_tail % DEPTH] = cycle + LATENCY;
          b_tail = b_tail + 1;
          aw_head = aw_head + 1;
          beat = 0;
        end
      end

      // Answers: an offer stays until it is taken.
      if ((!bvalid || bready) && b_head != b_tail && cycle >= b_due[b_head % DEPTH]
          && acts(random, 0)) begin
        {bid, bresp} <= b_queue[b_head % DEPTH];
        bvalid <= 1;
        b_head = b_head + 1;
      end
      if ((!rvalid || rready) && ar_head != ar_tail && cycle >= ar_due[ar_head % DEPTH]
          && acts(random, 1)) begin
        {read_id, read_start, read_len, read_size, read_burst} = ar_queue[ar_head % DEPTH];
        if (read_beat == 0) read_address = read_start;
        rvalid <= 1;
        rid <= read_id;
        rdata <= holds(read_address) ? words[read_address / BUS_BYTES] : 0;
        rresp <= holds(read_address) ? OKAY : DECERR;
        rlast <= read_beat == {24'd0, read_len};
        read_address = after(read_address, read_len, read_size, read_burst);
        if (read_beat == {24'd0, read_len}) begin
          ar_head = ar_head + 1;
          read_beat = 0;
        end else read_beat = read_beat + 1;
      end

      // What may come in the next cycle; a ready may fall again before it is used.
      awready <= acts(random, 2) && aw_tail - aw_head < DEPTH
        && (ORDER != 2 || ends_taken > addresses_taken);
      wready <= acts(random, 3) && w_tail - w_head < BEATS
        && (ORDER != 1 || addresses_taken > ends_taken);
      arready <= acts(random, 4) && ar_tail - ar_head < DEPTH;
    end
  end
endmodule
