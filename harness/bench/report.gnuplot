# SPDX-License-Identifier: GPL-2.0
# Draws bench.dat, which harness/bench/report writes, as bench.svg and bench.png.
stock = '#888888'; external = '#1f77b4'; inline = '#2ca02c'

do for [out in "svg png"] {
	if (out eq "svg") { set terminal svg size 1500,1100 font 'sans,11' noenhanced background 'white' }
	else { set terminal pngcairo size 1500,1100 font 'sans,10' noenhanced }
	set output 'bench.'.out

	set multiplot
	set style fill solid noborder
	set key inside top left vertical
	set grid ytics lt 0
	set boxwidth 0.9
	unset logscale

	set style data histogram
	set style histogram clustered gap 1
	set xtics rotate by -35 left scale 0
	set yrange [0:*]

	set size 0.6,0.55; set origin 0,0.45
	set rmargin 12
	set title 'Instructions a call: stock, and patched with either lock'
	plot 'bench.dat' index 0 using 2:xtic(1) title 'stock' lc rgb stock, \
		'' index 0 using 3 title 'patched, external lock' lc rgb external, \
		'' index 0 using 4 title 'patched, inline lock' lc rgb inline

	set size 0.4,0.55; set origin 0.6,0.45
	set rmargin 26
	set title 'Composed of many calls: instructions, of stock'
	set key outside top center horizontal
	plot 'bench.dat' index 1 using 2:xtic(1) title 'stock' lc rgb stock, \
		'' index 1 using 3 title 'external' lc rgb external, \
		'' index 1 using 4 title 'inline' lc rgb inline

	set style data linespoints
	set rmargin 5
	set xtics norotate autofreq scale 1
	set logscale x 4
	set yrange [0:1.2]
	set key inside bottom left vertical
	do for [i = 0:2] {
		set size 0.25,0.42; set origin 0.25 * i,0.01
		set title word("callbacks chain-nodes dma_resv-fences", i + 1).': instructions, of stock'
		plot 'bench.dat' index i + 2 using 1:2 title 'external' lc rgb external lw 2, \
			'' index i + 2 using 1:3 title 'inline' lc rgb inline lw 2, \
			1 notitle lc rgb stock
	}

	unset logscale
	set size 0.25,0.42; set origin 0.75,0.01
	set title 'threads on '.cores.' cores: throughput, a lock each / one'
	set yrange [0:*]
	set xrange [0.5:4.5]
	set xtics 1
	plot 'bench.dat' index 5 using 1:2 with boxes notitle lc rgb inline
	set xrange [*:*]
	unset multiplot
}
