
J|NHO*QS­P>PcP@RT]Q˜K¼KNRSP