// Clock, reset and the serial line of the LiteX SoC: prints what comes, up to an end of text.
`timescale 1ns / 1ps
module litex_tb;
  localparam END_OF_TEXT = 8'h04;
  localparam CYCLES = 500_000;

  reg clock = 0;
  reg reset = 1;
  wire valid;
  wire [7:0] data;
  integer cycles = 0;

  soc dut (
    .clock(clock),
    .reset(reset),
    .serial_source_valid(valid),
    .serial_source_ready(1'b1),
    .serial_source_data(data),
    .serial_sink_valid(1'b0),
    .serial_sink_ready(),
    .serial_sink_data(8'h00)
  );

  always #5 clock = ~clock;

  always @(posedge clock) begin
    cycles <= cycles + 1;
    if (cycles == 3) reset <= 0;
    if (valid && data == END_OF_TEXT) $finish;
    else if (valid) $write("%c", data);
    if (cycles == CYCLES) $fatal(1, "nothing after %0d cycles", cycles);
  end
endmodule
