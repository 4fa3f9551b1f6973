// Simulation models of the two cells of the ECP5 that Yosys knows as black boxes only. The others come
// from Yosys itself, `ecp5/cells_sim.v`.
//
// Written from what is public: Yosys' description of the block RAM (`lattice/brams_16kd.txt`) and the
// vendor's guides of memories and multipliers (TN1264, TN1267). Only what `synth_ecp5` makes of this
// project's designs is there. Everything else is refused: another value of a parameter when the
// model is elaborated, a parameter or a pin that is not declared here by the simulator itself, and
// pins that must be at rest, with $fatal, when they are not.

/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off MULTIDRIVEN */

// 18 Kbit of block RAM with two ports, no output registers.
//
// It holds 512 rows of 36 bits, which are 4 bytes of 9. A port of W bits takes an address of 14 bits
// that counts bits: AD[13:5] is the row whatever W is, AD[4:3] the byte where W is at most 9, AD[4]
// the half where it is 18; AD[2:0] lies in the byte, whose bit 8 is out of reach below W = 9. The
// lowest bits of a write's address are its byte enables where W is 18 or 36. Port A at 36 bits writes
// {DIB, DIA}, and port B only reads; at 36 bits it reads {DOB, DOA}.
//
// What one port reads of bits that the other is writing is undefined: here it is the inverse of what
// was there, so that nobody who relies on it goes unnoticed. Both ports are taken to have one clock.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
        DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
        DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter GSR = "DISABLED";
    parameter [319:0] INITVAL_00 = 0;
    parameter [319:0] INITVAL_01 = 0;
    parameter [319:0] INITVAL_02 = 0;
    parameter [319:0] INITVAL_03 = 0;
    parameter [319:0] INITVAL_04 = 0;
    parameter [319:0] INITVAL_05 = 0;
    parameter [319:0] INITVAL_06 = 0;
    parameter [319:0] INITVAL_07 = 0;
    parameter [319:0] INITVAL_08 = 0;
    parameter [319:0] INITVAL_09 = 0;
    parameter [319:0] INITVAL_0A = 0;
    parameter [319:0] INITVAL_0B = 0;
    parameter [319:0] INITVAL_0C = 0;
    parameter [319:0] INITVAL_0D = 0;
    parameter [319:0] INITVAL_0E = 0;
    parameter [319:0] INITVAL_0F = 0;
    parameter [319:0] INITVAL_10 = 0;
    parameter [319:0] INITVAL_11 = 0;
    parameter [319:0] INITVAL_12 = 0;
    parameter [319:0] INITVAL_13 = 0;
    parameter [319:0] INITVAL_14 = 0;
    parameter [319:0] INITVAL_15 = 0;
    parameter [319:0] INITVAL_16 = 0;
    parameter [319:0] INITVAL_17 = 0;
    parameter [319:0] INITVAL_18 = 0;
    parameter [319:0] INITVAL_19 = 0;
    parameter [319:0] INITVAL_1A = 0;
    parameter [319:0] INITVAL_1B = 0;
    parameter [319:0] INITVAL_1C = 0;
    parameter [319:0] INITVAL_1D = 0;
    parameter [319:0] INITVAL_1E = 0;
    parameter [319:0] INITVAL_1F = 0;
    parameter [319:0] INITVAL_20 = 0;
    parameter [319:0] INITVAL_21 = 0;
    parameter [319:0] INITVAL_22 = 0;
    parameter [319:0] INITVAL_23 = 0;
    parameter [319:0] INITVAL_24 = 0;
    parameter [319:0] INITVAL_25 = 0;
    parameter [319:0] INITVAL_26 = 0;
    parameter [319:0] INITVAL_27 = 0;
    parameter [319:0] INITVAL_28 = 0;
    parameter [319:0] INITVAL_29 = 0;
    parameter [319:0] INITVAL_2A = 0;
    parameter [319:0] INITVAL_2B = 0;
    parameter [319:0] INITVAL_2C = 0;
    parameter [319:0] INITVAL_2D = 0;
    parameter [319:0] INITVAL_2E = 0;
    parameter [319:0] INITVAL_2F = 0;
    parameter [319:0] INITVAL_30 = 0;
    parameter [319:0] INITVAL_31 = 0;
    parameter [319:0] INITVAL_32 = 0;
    parameter [319:0] INITVAL_33 = 0;
    parameter [319:0] INITVAL_34 = 0;
    parameter [319:0] INITVAL_35 = 0;
    parameter [319:0] INITVAL_36 = 0;
    parameter [319:0] INITVAL_37 = 0;
    parameter [319:0] INITVAL_38 = 0;
    parameter [319:0] INITVAL_39 = 0;
    parameter [319:0] INITVAL_3A = 0;
    parameter [319:0] INITVAL_3B = 0;
    parameter [319:0] INITVAL_3C = 0;
    parameter [319:0] INITVAL_3D = 0;
    parameter [319:0] INITVAL_3E = 0;
    parameter [319:0] INITVAL_3F = 0;

    // One after another, 16 words of 18 bits in each, 2 bits apart.
    localparam [64 * 320 - 1:0] CONTENTS = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39,
        INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32,
        INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B,
        INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
        INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D,
        INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
        INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F,
        INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
        INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00
    };

    generate
        if (DATA_WIDTH_A != 1 && DATA_WIDTH_A != 2 && DATA_WIDTH_A != 4 && DATA_WIDTH_A != 9
                && DATA_WIDTH_A != 18 && DATA_WIDTH_A != 36)
            $fatal(1, "DP16KD: no model of DATA_WIDTH_A = %0d", DATA_WIDTH_A);
        if (DATA_WIDTH_B != 1 && DATA_WIDTH_B != 2 && DATA_WIDTH_B != 4 && DATA_WIDTH_B != 9
                && DATA_WIDTH_B != 18 && !(DATA_WIDTH_A == 36 && DATA_WIDTH_B == 36))
            $fatal(1, "DP16KD: no model of DATA_WIDTH_B = %0d", DATA_WIDTH_B);
        if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG")
            $fatal(1, "DP16KD: no model of output registers (REGMODE_A, REGMODE_B)");
        if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000")
            $fatal(1, "DP16KD: no model of chip selects (CSDECODE_A, CSDECODE_B)");
        if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB")
            $fatal(1, "DP16KD: no model of inverted clocks (CLKAMUX, CLKBMUX)");
        if (RESETMODE != "SYNC" && RESETMODE != "ASYNC")
            $fatal(1, "DP16KD: no model of RESETMODE = %s", RESETMODE);
        if ((WRITEMODE_A != "NORMAL" && WRITEMODE_A != "WRITETHROUGH"
                && WRITEMODE_A != "READBEFOREWRITE") || (WRITEMODE_B != "NORMAL"
                && WRITEMODE_B != "WRITETHROUGH" && WRITEMODE_B != "READBEFOREWRITE"))
            $fatal(1, "DP16KD: no model of this WRITEMODE_A or WRITEMODE_B");
        if (GSR != "DISABLED" && GSR != "AUTO")
            $fatal(1, "DP16KD: no model of the global reset (GSR)");
    endgenerate

    wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
        DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [13:0] ad_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3,
        ADA2, ADA1, ADA0};
    wire selected_a = CEA && {CSA2, CSA1, CSA0} == 3'b000;
    wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
        DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] ad_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3,
        ADB2, ADB1, ADB0};
    wire selected_b = CEB && {CSB2, CSB1, CSB0} == 3'b000;

    // Where in its row a port's lowest bit lies.
    function [5:0] place(input [31:0] width, input [4:0] at);
        case (width)
            36: place = 0;
            18: place = at[4] ? 18 : 0;
            9: place = 9 * at[4:3];
            4: place = 9 * at[4:3] + {at[2], 2'b0};
            2: place = 9 * at[4:3] + {at[2:1], 1'b0};
            default: place = 9 * at[4:3] + at[2:0];
        endcase
    endfunction

    // The bits of its row that a port writes.
    function [35:0] mask(input [31:0] width, input [4:0] at);
        case (width)
            36: mask = {{9{at[3]}}, {9{at[2]}}, {9{at[1]}}, {9{at[0]}}};
            18: mask = {18'b0, {9{at[1]}}, {9{at[0]}}} << place(width, at);
            default: mask = ((36'b1 << width) - 1) << place(width, at);
        endcase
    endfunction

    reg [35:0] rows [0:511];
    integer i;
    initial
        for (i = 0; i < 512; i = i + 1)
            rows[i] = {CONTENTS[40 * i + 20 +: 18], CONTENTS[40 * i +: 18]};

    wire [8:0] row_a = ad_a[13:5], row_b = ad_b[13:5];
    wire write_a = selected_a && WEA && !RSTA, write_b = selected_b && WEB && !RSTB;
    wire [35:0] mask_a = write_a ? mask(DATA_WIDTH_A, ad_a[4:0]) : 0;
    wire [35:0] mask_b = write_b ? mask(DATA_WIDTH_B, ad_b[4:0]) : 0;
    wire [35:0] new_a = (DATA_WIDTH_A == 36 ? {di_b, di_a} : {18'b0, di_a})
        << place(DATA_WIDTH_A, ad_a[4:0]);
    wire [35:0] new_b = {18'b0, di_b} << place(DATA_WIDTH_B, ad_b[4:0]);

    // The bits of a port's row that the other port writes.
    wire [35:0] others_a = row_a == row_b ? mask_b : 36'b0;
    wire [35:0] others_b = row_a == row_b ? mask_a : 36'b0;

    // What a port sees of its row: what the other one writes is spoilt, its own is new where it
    // writes through.
    wire [35:0] own_a = WRITEMODE_A == "WRITETHROUGH" ? mask_a : 36'b0;
    wire [35:0] own_b = WRITEMODE_B == "WRITETHROUGH" ? mask_b : 36'b0;
    wire [35:0] seen_a = (rows[row_a] & ~own_a | new_a & own_a) ^ others_a;
    wire [35:0] seen_b = (rows[row_b] & ~own_b | new_b & own_b) ^ others_b;
    wire [35:0] read_a = seen_a >> place(DATA_WIDTH_A, ad_a[4:0]);
    wire [35:0] read_b = seen_b >> place(DATA_WIDTH_B, ad_b[4:0]);

    // Where both write to one row, each writes what both want.
    always @(posedge CLKA)
        if (write_a)
            rows[row_a] <= rows[row_a] & ~(mask_a | others_a) | new_a & mask_a | new_b & others_a;
    always @(posedge CLKB)
        if (write_b)
            rows[row_b] <= rows[row_b] & ~(mask_b | others_b) | new_b & mask_b | new_a & others_b;

    reg [17:0] do_a = 0;
    reg [35:0] do_b = 0;
    always @(posedge CLKA)
        if (RSTA) do_a <= 0;
        else if (selected_a && !(WEA && WRITEMODE_A == "NORMAL"))
            do_a <= read_a[17:0] & ((19'b1 << DATA_WIDTH_A) - 1);
    always @(posedge CLKB)
        if (RSTB) do_b <= 0;
        else if (selected_b && !(WEB && WRITEMODE_B == "NORMAL"))
            do_b <= read_b & ((37'b1 << DATA_WIDTH_B) - 1);

    always @(posedge CLKA)
        if (RESETMODE == "ASYNC" && RSTA)
            $fatal(1, "DP16KD: no model of an asynchronous reset, and RSTA is high");
    always @(posedge CLKB) begin
        if (RESETMODE == "ASYNC" && RSTB)
            $fatal(1, "DP16KD: no model of an asynchronous reset, and RSTB is high");
        if (DATA_WIDTH_A == 36 && WEB)
            $fatal(1, "DP16KD: port A has all data pins (DATA_WIDTH_A = 36), and WEB is high");
    end

    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0} = DATA_WIDTH_B == 36 ? do_b[17:0] : do_a;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0} = DATA_WIDTH_B == 36 ? do_b[35:18] : do_b[17:0];
endmodule

// A product of 18 by 18 bits without registers, each side signed or not.
module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
        P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire signed [18:0] a = {SIGNEDA && A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7,
        A6, A5, A4, A3, A2, A1, A0};
    wire signed [18:0] b = {SIGNEDB && B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7,
        B6, B5, B4, B3, B2, B1, B0};
    wire signed [37:0] product = a * b;
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
        P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
        product[35:0];

    always @(*)
        if (SOURCEA || SOURCEB)
            $fatal(1, "MULT18X18D: no model of the shift chains, and SOURCEA or SOURCEB is high");
endmodule
