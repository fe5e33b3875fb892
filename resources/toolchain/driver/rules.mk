# Turns any X.stan into the executable X: `make X` or, through cmdstanpy, CmdStanModel(stan_file="X.stan").
# The lines above are written when the home is assembled: CMDSTAN_VERSION, CXX and WHEEL (where httpstan is installed).
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

# The old string ABI on Linux is that of the wheel's libtbb; the other definitions are those Stan itself compiles with.
CPPFLAGS := -D_REENTRANT -DBOOST_DISABLE_ASSERTS -DBOOST_PHOENIX_NO_VARIADIC_EXPRESSION -D_GLIBCXX_USE_CXX11_ABI=0
CXXFLAGS := -std=c++17 -w -pthread
SUNDIALS := -lsundials_cvodes -lsundials_idas -lsundials_kinsol -lsundials_nvecserial

%.hpp: %.stan
	bin/stanc $(STANCFLAGS) --o=$@ $<

# -O3 as CmdStan does; level 2 compiles no faster. USER_HEADER, as in CmdStan, defines what the program only declares.
%.o: %.hpp
	$(CXX) $(CPPFLAGS) -isystem "$(WHEEL)/include" $(CXXFLAGS) -O3 $(if $(USER_HEADER),-include "$(USER_HEADER)") -x c++ -c $< -o $@

# The driver runs at -O1: a fifth less compile time, and the gradient that takes the time is in the program's object.
driver.o: driver.cpp
	$(CXX) $(CPPFLAGS) -isystem "$(WHEEL)/include" $(CXXFLAGS) -O1 -c $< -o $@.$$$$ && mv $@.$$$$ $@

# The program comes before the driver: the linker keeps the first copy of a shared template, so the -O3 one.
%: %.o driver.o
	$(CXX) $(CXXFLAGS) $< driver.o -o $@ -L"$(WHEEL)/lib" $(SUNDIALS) -ltbb -Wl,-rpath,"$(CURDIR)/lib"
