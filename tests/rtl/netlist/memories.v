// Memories as designs describe them, in every shape of block RAM that there is a model of: each in
// the way that `synth_ecp5` builds, with what else a design may ask for in the same cycle.
module memories (
    input clk,
    input rst,
    input [9:0] we,
    input [9:0] re,
    input [3:0] be,
    input [13:0] ra,
    input [13:0] wa,
    input [35:0] wd,
    input [35:0] wd2,
    output [35:0] wide,
    output [35:0] polite,
    output [8:0] of_wide_9,
    output [17:0] of_wide_18,
    output [17:0] both_a,
    output [17:0] both_b,
    output [17:0] enabled,
    output [8:0] nines,
    output [3:0] fours,
    output [1:0] twos,
    output ones,
    output [17:0] through,
    output [17:0] unchanged,
    output [35:0] constant
);
    // Few addresses, but all over a memory: what is read was written, often in the same cycle.
    wire [13:0] r = {ra[13:12], 8'b0, ra[3:0]}, w = {wa[13:12], 8'b0, wa[3:0]};
    wire [13:0] r2 = {r[13:12], ra[1:0], r[9:0]}, w2 = {w[13:12], wa[1:0], w[9:0]};

    wide_memory wide_ (clk, we[0], re[0], be, r2[13:5], w2[13:5], wd, wide);
    // Never reads what is being written, and says so.
    polite_memory polite_ (clk, we[1], re[1], {r2[13:6], 1'b0}, {w2[13:6], 1'b1}, wd, polite);
    group_memory #(9, 4) of_wide_9_ (clk, rst, we[2], re[2], r2[13:3], w2[13:5], wd, of_wide_9);
    group_memory #(18, 2) of_wide_18_ (clk, rst, we[3], re[3], r2[13:4], w2[13:5], wd, of_wide_18);
    double_memory both_ (clk, we[4], we[5], r2[13:4], w2[13:4], wd[17:0], wd2[17:0], both_a, both_b);
    enabled_memory enabled_ (clk, rst, we[6], re[6], be[1:0], r2[13:4], w2[13:4], wd[17:0], enabled);
    plain_memory #(9, 11) nines_ (clk, we[7], re[7], r2[13:3], w2[13:3], wd[8:0], nines);
    plain_memory #(4, 12) fours_ (clk, we[7], re[7], r2[13:2], w2[13:2], wd[3:0], fours);
    plain_memory #(2, 13) twos_ (clk, we[8], re[8], r2[13:1], w2[13:1], wd[1:0], twos);
    plain_memory #(1, 14) ones_ (clk, we[8], re[8], r2, w2, wd[0], ones);
    single_memory #(1) through_ (clk, we[9], re[9], w2[13:4], wd[17:0], through);
    single_memory #(0) unchanged_ (clk, we[9], re[9], w2[13:4], wd2[17:0], unchanged);
    constants constants_ (clk, re[0], ra[8:0], constant);
endmodule

// 36 bits, 4 byte enables; contents given. A read of a word that is being written finds the old one.
module wide_memory (
    input clk, we, re, input [3:0] be, input [8:0] ra, wa, input [35:0] wd,
    output reg [35:0] q
);
    (* ram_style = "block" *) reg [35:0] words [0:511];
    integer i;
    initial begin
        q = 0;
        for (i = 0; i < 512; i = i + 1) words[i] = 36'h923456789 * (i + 1);
    end
    always @(posedge clk) begin
        for (i = 0; i < 4; i = i + 1)
            if (we && be[i]) words[wa][9 * i +: 9] <= wd[9 * i +: 9];
        if (re) q <= words[ra];
    end
endmodule

module polite_memory (
    input clk, we, re, input [8:0] ra, wa, input [35:0] wd, output reg [35:0] q
);
    (* ram_style = "block", no_rw_check *) reg [35:0] words [0:511];
    integer i;
    initial begin
        q = 0;
        for (i = 0; i < 512; i = i + 1) words[i] = 36'h3_1234_5678 ^ (i * 36'h10101);
    end
    always @(posedge clk) begin
        if (we) words[wa] <= wd;
        if (re) q <= words[ra];
    end
endmodule

// Written by rows of N words, read by words, whose register is reset whether it is enabled or not.
module group_memory #(parameter W = 9, N = 4) (
    input clk, rst, we, re, input [$clog2(512 * N) - 1:0] ra, input [8:0] wa, input [35:0] wd,
    output reg [W - 1:0] q
);
    (* ram_style = "block" *) reg [W - 1:0] words [0:512 * N - 1];
    integer i;
    initial q = 0;
    always @(posedge clk) begin
        for (i = 0; i < N; i = i + 1)
            if (we) words[{wa, i[$clog2(N) - 1:0]}] <= wd[W * i +: W];
        if (rst) q <= 0;
        else if (re) q <= words[ra];
    end
endmodule

// Two ports that both write, never one word at once: a half of the memory for each.
module double_memory (
    input clk, wea, web, input [9:0] a, b, input [17:0] da, db, output reg [17:0] qa, qb
);
    (* ram_style = "block", no_rw_check *) reg [17:0] words [0:1023];
    wire [9:0] at_a = {a[9:1], 1'b0}, at_b = {b[9:1], 1'b1};
    initial begin qa = 0; qb = 0; end
    always @(posedge clk) begin
        if (wea) words[at_a] <= da;
        qa <= words[at_a];
    end
    always @(posedge clk) begin
        if (web) words[at_b] <= db;
        qb <= words[at_b];
    end
endmodule

// The vector SRAM's shape: byte enables on one side, an enabled and reset register on the other.
module enabled_memory (
    input clk, rst, we, re, input [1:0] be, input [9:0] ra, wa, input [17:0] wd,
    output reg [17:0] q
);
    (* ram_style = "block" *) reg [17:0] words [0:1023];
    integer i;
    initial q = 0;
    always @(posedge clk) begin
        for (i = 0; i < 2; i = i + 1)
            if (we && be[i]) words[wa][9 * i +: 9] <= wd[9 * i +: 9];
        if (rst) q <= 0;
        else if (re) q <= words[ra];
    end
endmodule

module plain_memory #(parameter W = 1, A = 14) (
    input clk, we, re, input [A - 1:0] ra, wa, input [W - 1:0] wd, output reg [W - 1:0] q
);
    (* ram_style = "block" *) reg [W - 1:0] words [0:2 ** A - 1];
    integer i;
    initial begin
        q = 0;
        // What the top module reads, at the ends of four parts.
        for (i = 0; i < 64; i = i + 1)
            words[{i[5:4], {(A - 6){1'b0}}, i[3:0]}] = i * 5 + (i >> 3);
    end
    always @(posedge clk) begin
        if (we) words[wa] <= wd;
        if (re) q <= words[ra];
    end
endmodule

// One port: what is written is seen at once, or nothing is seen of a write.
module single_memory #(parameter THROUGH = 0) (
    input clk, we, re, input [9:0] a, input [17:0] d, output reg [17:0] q
);
    (* ram_style = "block" *) reg [17:0] words [0:1023];
    initial q = 0;
    always @(posedge clk)
        if (re) begin
            if (we) begin
                words[a] <= d;
                if (THROUGH) q <= d;
            end else
                q <= words[a];
        end
endmodule

module constants (input clk, re, input [8:0] a, output reg [35:0] q);
    (* rom_style = "block", ram_style = "block" *) reg [35:0] words [0:511];
    integer i;
    initial begin
        q = 0;
        for (i = 0; i < 512; i = i + 1) words[i] = 36'h2_7182_8182 * (i + 3);
    end
    always @(posedge clk) if (re) q <= words[a];
endmodule
