// Products of every sign, alone and too wide for one multiplier.
module products (
    input clk,
    input [17:0] a,
    input [17:0] b,
    input [31:0] c,
    output [35:0] unsigned_,
    output [35:0] signed_,
    output [49:0] wide
);
    assign unsigned_ = a * b;
    assign signed_ = $signed(a) * $signed(b);
    assign wide = $signed(a) * $signed(c);
endmodule
